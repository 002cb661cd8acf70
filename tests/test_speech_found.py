"""Speech, or none: where it is in a recording, how loud, and what is refused."""

import re
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import soundfile

from s2f_lib import audio, people
from s2f_lib.audio import degrade
from s2f_lib.people.speech import speak

RATE = audio.SAMPLE_RATE


def tone(seconds=3.0, rate=RATE, frequency=440.0):
    return 0.3 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def hum(frequency):
    """Six seconds of mains hum and eleven harmonics, weaker and weaker."""
    return sum(0.1 / k * np.sin(2 * np.pi * frequency * k * np.arange(6 * RATE) / RATE + k) for k in range(1, 12))


@pytest.fixture(scope="module")
def voice():
    return np.asarray(speak(people.sample(8, seed=4000)[0], 0, seconds=6.0), np.float32)


def test_a_voice_is_found_behind_a_long_silence(tmp_path, voice):
    soundfile.write(tmp_path / "at once.wav", voice, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "late.wav", np.concatenate([np.zeros(7 * RATE), voice]), RATE, subtype="FLOAT")
    known, late = audio.load_speech(tmp_path / "at once.wav"), audio.load_speech(tmp_path / "late.wav")
    assert (known.start, known.notes) == (0.0, ())
    assert late.start == pytest.approx(7.0, abs=0.3)
    assert re.search(r"seconds [67]\.\d to 1[23]\.\d are used.*silent", late.notes[0])
    found = late.waveform[round((7 - late.start) * RATE) :][:80_000]
    np.testing.assert_allclose(found, known.waveform[:80_000], atol=1e-4)
    with pytest.raises(audio.NoSpeech, match="silent"):
        audio.load_speech(tmp_path / "late.wav", start=0.5)


def test_a_slammed_door_does_not_hide_a_soft_voice(tmp_path, voice):
    door = 0.9 * np.sign(np.sin(np.arange(400) / 3))
    audio.write(tmp_path / "x.wav", np.concatenate([door, np.zeros(20 * RATE), 0.02 * voice]))
    speech = audio.load_speech(tmp_path / "x.wav")
    assert speech.start == pytest.approx(20, abs=0.3)
    assert "quiet" in speech.notes[1]


@pytest.mark.parametrize("kind", ["hiss", "hum", "dial tone"])
def test_a_voice_is_found_behind_a_louder_noise(tmp_path, voice, kind):
    hiss = np.random.default_rng(0).normal(0, 0.2, 12 * RATE)
    noise = {"hiss": hiss, "hum": np.tile(3 * hum(120.0), 2), "dial tone": tone(12.0)}[kind]
    audio.write(tmp_path / "x.wav", np.clip(np.concatenate([noise, np.zeros(RATE), voice, np.zeros(RATE)]), -1, 1))
    speech = audio.load_speech(tmp_path / "x.wav")
    assert speech.start == pytest.approx(13, abs=0.5)


def test_a_noise_that_fades_away_is_no_voice(tmp_path):
    noise = np.random.default_rng(0).normal(0, 0.2, 12 * RATE)
    audio.write(tmp_path / "x.wav", np.concatenate([noise, noise * np.linspace(1, 0, len(noise)) ** 2]))
    with pytest.raises(audio.NoSpeech, match="steady noise"):
        audio.load_speech(tmp_path / "x.wav")


@pytest.mark.filterwarnings("error")
def test_an_infinite_sample_is_named_without_a_warning(tmp_path, voice):
    soundfile.write(tmp_path / "x.wav", np.where(np.arange(len(voice)) == 5000, np.inf, voice), RATE, subtype="FLOAT")
    with pytest.raises(audio.AudioError, match="NaN or infinite"):
        audio.load_speech(tmp_path / "x.wav")


def test_what_was_not_searched_is_said(tmp_path, voice, monkeypatch):
    monkeypatch.setattr("s2f_lib.audio.level.SEARCHED", 5.0)
    audio.write(tmp_path / "x.wav", np.concatenate([np.zeros(9 * RATE), voice]))
    with pytest.raises(audio.NoSpeech, match="first 5 s"):
        audio.load_speech(tmp_path / "x.wav")
    assert audio.load_speech(tmp_path / "x.wav", start=9.0).notes


def test_an_offset_is_no_sound(tmp_path, voice):
    for name, offset in (("plain", 0.0), ("offset", 0.4)):
        soundfile.write(tmp_path / f"{name}.wav", 0.5 * voice + offset, RATE, subtype="FLOAT")
    plain, offset = (audio.load_speech(tmp_path / f"{name}.wav").waveform for name in ("plain", "offset"))
    np.testing.assert_allclose(offset, plain, atol=1e-5)


def test_a_click_is_no_speech(tmp_path, voice):
    audio.write(tmp_path / "x.wav", voice[20_000:20_160])
    with pytest.raises(audio.NoSpeech, match=r"0\.01 s of sound"):
        audio.load_speech(tmp_path / "x.wav")


def test_the_level_of_a_recording_moves_nothing(tmp_path, voice):
    for name, gain in (("loud", 1.0), ("soft", 0.1), ("far", 0.001)):
        soundfile.write(tmp_path / f"{name}.wav", gain * voice, RATE, subtype="FLOAT")
    loud, soft, far = (audio.load_speech(tmp_path / f"{name}.wav") for name in ("loud", "soft", "far"))
    np.testing.assert_allclose(soft.waveform, loud.waveform, atol=1e-6)
    np.testing.assert_allclose(far.waveform, loud.waveform, atol=1e-6)
    assert loud.level_db - far.level_db == pytest.approx(60, abs=0.01)
    assert not loud.notes
    assert "quiet" in far.notes[0]


def test_the_level_is_that_of_a_sine(tmp_path):
    """A sine of amplitude a has power a^2 / 2; pauses do not count."""
    waveform = np.concatenate([np.zeros(RATE), 0.1 * np.sin(2 * np.pi * 1000 * np.arange(2 * RATE) / RATE)])
    sound, level = audio.leveled(waveform)
    assert level == pytest.approx(10 * np.log10(0.1**2 / 2), abs=0.05)
    assert audio.leveled(sound)[1] == pytest.approx(-25, abs=0.1)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda voice: 0 * voice, "silent"),
        (lambda voice: np.full_like(voice, 0.3), "silent"),
        (lambda voice: degrade.without_speech("silence")(voice[None])[0], "silent: its loudest 50 ms are at -"),
        (lambda voice: degrade.without_speech("noise")(voice[None])[0], r"steady noise, at -\d\d dB"),
        (lambda voice: np.random.default_rng(0).normal(0, 0.1, 96_000), r"steady noise, at -\d\d dB"),
        (lambda voice: hum(50), "steady noise, at -25 dB"),
        (lambda voice: hum(60) + np.random.default_rng(0).normal(0, 0.03, 96_000), "steady noise"),
        (lambda voice: hum(200), "steady noise"),
        (lambda voice: tone(6.0, frequency=1000.0), "steady noise, at -13 dB"),
        (lambda voice: tone(6.0, frequency=350.0) + tone(6.0), "steady noise"),
        (lambda voice: tone(0.6), "steady noise"),
        (lambda voice: tone(6.0, frequency=20.0), "silent"),
        (lambda voice: tone(6.0, frequency=7000.0), "silent"),
    ],
    ids="zeros;a constant;hiss of a microphone;pink noise;white noise;hum of 50 Hz;hum and hiss;hum of 200 Hz;"
    "a beep;a dial tone;a short beep;too low;too high".split(";"),
)
def test_what_holds_no_speech_is_refused_with_its_level(tmp_path, voice, make, told):
    soundfile.write(tmp_path / "x.wav", make(voice), RATE, subtype="FLOAT")
    with pytest.raises(audio.NoSpeech, match=told):
        audio.load_speech(tmp_path / "x.wav")


@pytest.mark.parametrize("seed", range(6))
def test_voices_in_noise_and_whispers_are_speech(tmp_path, seed):
    voice = np.asarray(speak(people.sample(6, seed=70)[seed], 0, seconds=6.0), np.float32)[None]
    for corruption in (degrade.noise(5.0), degrade.whisper(), degrade.telephone(), degrade.room()):
        audio.write(tmp_path / "x.wav", corruption(voice)[0])
        assert audio.load_speech(tmp_path / "x.wav").waveform.shape == (96_000,)


def test_two_hours_take_no_more_memory_than_ten_minutes(tmp_path):
    """44.1 kHz stereo, a voice in the ninth minute; the rest of the file are zeros that take no disk."""
    program = textwrap.dedent(
        """
        import resource, struct, sys, time
        import numpy as np
        from s2f_lib import audio

        def peak():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        path, size = sys.argv[1], 7200 * 44_100 * 4
        with open(path, "wb") as file:
            file.write(b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt ")
            file.write(struct.pack("<IHHIIHH", 16, 1, 2, 44_100, 176_400, 4, 16) + b"data" + struct.pack("<I", size))
            file.seek(44 + 500 * 44_100 * 4)
            buzz = 9000 * np.sign(np.sin(np.arange(6 * 44_100) / 50)) * np.sin(np.arange(6 * 44_100) / 9000) ** 2
            file.write(np.stack([buzz, buzz], axis=1).astype("<i2").tobytes())
            file.truncate(44 + size)
        audio.resample(np.zeros(44_100, np.float32), 44_100)
        before, began = peak(), time.process_time()
        speech = audio.load_speech(path)
        print(speech.start, time.process_time() - began, (peak() - before) / 1e3)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "x.wav")], capture_output=True, text=True, check=True
    )
    start, seconds, megabytes = map(float, done.stdout.split())
    assert start == pytest.approx(500, abs=0.3)
    assert seconds < 15
    assert megabytes < 150
