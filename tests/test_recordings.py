"""Recordings as people bring them: of untold length, rare codecs, odd channels and odd rates."""

import os
import struct

import numpy as np
import pytest

from s2f_lib import audio, people
from s2f_lib.people.speech import speak

soundfile, av = pytest.importorskip("soundfile"), pytest.importorskip("av")
RATE = audio.SAMPLE_RATE


def tone(seconds=3.0, rate=RATE, frequency=440.0):
    return 0.3 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def pitch(waveform):
    """Frequency (Hz) of the strongest bin."""
    return np.abs(np.fft.rfft(waveform)).argmax() * RATE / len(waveform)


@pytest.fixture(scope="module")
def voice():
    return np.asarray(speak(people.sample(8, seed=4000)[0], 0, seconds=6.0), np.float32)


def encode(path, codec, samples, rate, layout="mono", container=None, frame=1024):
    """Through PyAV, int16 samples (n,) or (channels, n)."""
    samples = np.atleast_2d(np.round(np.asarray(samples) * 32_767).astype(np.int16))
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate, layout=layout)
        resampler = av.AudioResampler(format=stream.codec_context.format, layout=layout, rate=rate)
        for first in range(0, samples.shape[1], frame):
            part = np.ascontiguousarray(samples[:, first : first + frame].T).reshape(1, -1)
            piece = av.AudioFrame.from_ndarray(part, format="s16", layout=layout)
            piece.sample_rate, piece.pts = rate, first
            for ready in resampler.resample(piece):
                out.mux(stream.encode(ready))
        out.mux(stream.encode(None))
    return path


# --- of untold length


def streamed_flac(path):
    """As an encoder writes it into a pipe: no number of samples, no checksum."""
    soundfile.write(path, tone(), RATE)
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0
    data[22:26], data[26:42] = bytes(4), bytes(16)
    path.write_bytes(data)


def streamed_wav(size):
    def write(path):
        soundfile.write(path, tone(), RATE)
        data = bytearray(path.read_bytes())
        place = data.index(b"data") + 4
        data[4:8] = data[place : place + 4] = struct.pack("<I", size)
        path.write_bytes(data)

    return write


def streamed_au(path):
    soundfile.write(path, tone(), RATE)
    data = bytearray(path.read_bytes())
    data[8:12] = b"\xff" * 4
    path.write_bytes(data)


def live_webm(path):
    """Opus in a WebM that was written without going back: no duration, no index."""
    memory = av.open(str(path), "w", format="webm", options={"live": "1"})
    with memory as out:
        stream = out.add_stream("libopus", rate=48_000, layout="mono")
        for first in range(0, 144_000, 960):
            part = tone(rate=48_000)[first : first + 960].astype(np.float32)[None]
            frame = av.AudioFrame.from_ndarray(part, format="flt", layout="mono")
            frame.sample_rate, frame.pts = 48_000, first
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("x.flac", streamed_flac),
        ("x.wav", streamed_wav(0)),
        ("x.wav", streamed_wav(0xFFFFFFFF)),
        ("x.wav", streamed_wav(0x7FFFFFFF)),
        ("x.au", streamed_au),
        ("x.webm", live_webm),
    ],
    ids=["flac", "wav 0", "wav 2^32-1", "wav 2^31-1", "au", "webm"],
)
def test_the_length_need_not_be_told(tmp_path, name, write):
    write(tmp_path / name)
    assert len(audio.load(tmp_path / name)) == pytest.approx(48_000, abs=400)
    assert len(audio.load(tmp_path / name, 0.0, 6.0)) == pytest.approx(48_000, abs=400)
    assert len(audio.load(tmp_path / name, 0.0, 2.0)) == 32_000
    late = audio.load(tmp_path / name, 1.5, 2.5)
    assert len(late) == 16_000
    assert pitch(late) == pytest.approx(440, abs=2)


@pytest.mark.parametrize("ending", ["wav", "flac", "mp3", "m4a", "mkv"])
def test_a_short_recording_gives_what_it_has_whatever_its_kind(tmp_path, ending):
    path = tmp_path / f"x.{ending}"
    if ending in ("m4a", "mkv"):
        encode(path, "aac", tone(4.0), RATE)
    else:
        soundfile.write(path, tone(4.0), RATE)
    assert len(audio.load(path, 0.0, 6.0)) == pytest.approx(64_000, abs=2500)
    with pytest.raises(audio.AudioError, match="nothing at 9 s"):
        audio.load(path, 9.0, 15.0)


# --- codecs and containers


@pytest.mark.parametrize("kind", ["GSM610", "G721_32", "NMS_ADPCM_32", "IMA_ADPCM", "MS_ADPCM", "ULAW", "ALAW"])
def test_codecs_of_telephones_are_read_from_any_second(tmp_path, kind):
    soundfile.write(tmp_path / "x.wav", tone(3.0, 8000), 8000, subtype=kind)
    assert len(audio.load(tmp_path / "x.wav")) == pytest.approx(48_000, abs=1300)
    part = audio.load(tmp_path / "x.wav", 1.0, 2.0)
    assert len(part) == 16_000
    assert pitch(part) == pytest.approx(440, abs=2)


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("x.wv", "wavpack", 16_000),
        ("x.wav", "g726", 8000),
        ("x.m4a", "alac", 44_100),
        ("x.aiff", "pcm_s16be", 22_050),
        ("x.amr", "libopencore_amrnb", 8000),
        ("x.tta", "tta", 44_100),
        ("x.ac3", "ac3", 48_000),
        ("x.eac3", "eac3", 48_000),
        ("x.w64", "pcm_f32le", 16_000),  # libsndfile takes its floats for integers
        ("x.mp2", "mp2", 48_000),
        ("x.ts", "aac", 44_100),
        ("x.mkv", "opus", 48_000),
    ],
)
def test_what_libsndfile_cannot_read_pyav_may(tmp_path, name, codec, rate):
    try:
        encode(tmp_path / name, codec, tone(3.0, rate), rate, frame=160 if name == "x.amr" else 1024)
    except ValueError as error:  # not every build of FFmpeg can write them
        pytest.skip(f"no encoder: {error}")
    waveform = audio.load(tmp_path / name)
    assert len(waveform) == pytest.approx(48_000, abs=1500)
    assert pitch(waveform) == pytest.approx(440, abs=2)


@pytest.mark.parametrize(
    ("form", "subtype", "rate"),
    [
        ("WAV", "PCM_24", 192_000),
        ("WAV", "PCM_32", RATE),
        ("WAV", "PCM_U8", RATE),
        ("WAV", "DOUBLE", RATE),
        ("WAVEX", "PCM_16", RATE),
        ("RF64", "PCM_16", RATE),
        ("W64", "PCM_16", RATE),
        ("CAF", "ALAC_16", RATE),
        ("AIFF", "PCM_S8", RATE),
        ("NIST", "ULAW", 8000),
        ("OGG", "OPUS", 48_000),
        ("MP3", "MPEG_LAYER_III", 44_100),
    ],
)
def test_formats_of_recorders_and_programs(tmp_path, form, subtype, rate):
    soundfile.write(tmp_path / "x", tone(3.0, rate), rate, subtype=subtype, format=form)
    waveform = audio.load(tmp_path / "x")
    assert len(waveform) == 48_000
    assert pitch(waveform) == pytest.approx(440, abs=0.5)
    assert np.abs(waveform[4000:-4000]).max() == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize("drift", [-10, 10, 700], ids=["a fast clock", "a slow clock", "a jump"])
def test_clocks_that_are_wrong_take_no_sample_away(tmp_path, drift):
    """CAF and the streams of DVDs give times that their samples do not keep."""
    sound = (tone(5.0) * 32_767).astype(np.int16)
    with av.open(str(tmp_path / "x.mkv"), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for k, first in enumerate(range(0, len(sound), 1000)):
            frame = av.AudioFrame.from_ndarray(sound[None, first : first + 1000], format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE, first + drift * (k if abs(drift) == 10 else k > 5)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    np.testing.assert_allclose(audio.load(tmp_path / "x.mkv"), sound / 32_768, atol=1e-7)


def test_a_gap_is_silent_and_what_comes_twice_is_kept(tmp_path):
    for name in "ab":
        encode(tmp_path / f"{name}.ts", "mp2", tone(3.0, 48_000), 48_000)
    with av.open(str(tmp_path / "gap.mkv"), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for second in (0, 1, 3):
            frame = av.AudioFrame.from_ndarray(np.full((1, RATE), 9000, np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE, second * RATE
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    silent = audio.load(tmp_path / "gap.mkv") == 0
    assert (len(silent), silent.sum()) == (4 * RATE, RATE)
    assert silent[2 * RATE : 3 * RATE].all()
    (tmp_path / "x.ts").write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())
    assert len(audio.load(tmp_path / "x.ts")) == pytest.approx(6 * RATE, abs=2000)


def test_samples_of_an_unusual_type_have_their_reason(tmp_path):
    body = b"WAVE" + form(1, 64) + chunk(b"data", bytes(8 * RATE))
    (tmp_path / "x.wav").write_bytes(chunk(b"RIFF", body))
    with pytest.raises(audio.AudioError, match="samples of the type s64"):
        audio.load(tmp_path / "x.wav")


def chunk(name, content):
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def form(channels=1, bits=16):
    frame = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", 1, channels, RATE, RATE * frame & 0xFFFFFFFF, frame & 0xFFFF, bits))


@pytest.mark.parametrize(
    ("before", "after"),
    [([chunk(b"bext", bytes(602)), form()], []), ([form(), chunk(b"junk", b"abc")], [chunk(b"LIST", b"INFO" * 99)])],
    ids=["notes first", "an odd chunk"],
)
def test_other_chunks_of_a_wav_file_are_no_sound(tmp_path, before, after):
    sound = (tone() * 32_767).astype("<i2")
    body = b"WAVE" + b"".join([*before, chunk(b"data", sound.tobytes()), *after])
    (tmp_path / "x.wav").write_bytes(chunk(b"RIFF", body))
    np.testing.assert_allclose(audio.load(tmp_path / "x.wav"), sound / 32_768, atol=1e-7)


@pytest.mark.parametrize(("channels", "bits"), [(0, 16), (1025, 16), (65_535, 16), (1, 0)])
def test_wav_files_without_channels_or_bits_are_refused(tmp_path, channels, bits):
    (tmp_path / "x.wav").write_bytes(chunk(b"RIFF", b"WAVE" + form(channels, bits) + chunk(b"data", bytes(9000))))
    with pytest.raises(audio.AudioError, match="cannot be read"):
        audio.load(tmp_path / "x.wav")


def test_joined_mp3_files_are_read_to_the_end(tmp_path, capfd):
    """The first one says how long it is, and a reader that believes it loses the others."""
    soundfile.write(tmp_path / "a.mp3", tone(), RATE)
    soundfile.write(tmp_path / "b.mp3", tone(3.0, 44_100), 44_100)
    a, b = (tmp_path / "a.mp3").read_bytes(), (tmp_path / "b.mp3").read_bytes()
    (tmp_path / "x.mp3").write_bytes(a + a + a)
    waveform = audio.load(tmp_path / "x.mp3")
    assert len(waveform) == pytest.approx(3 * 48_000, abs=5000)
    assert pitch(waveform[100_000:]) == pytest.approx(440, abs=2)
    (tmp_path / "x.mp3").write_bytes(a + b)
    with pytest.raises(audio.AudioError, match="sample rate from 16000 to 44100 Hz"):
        audio.load(tmp_path / "x.mp3")
    (tmp_path / "x.mp3").write_bytes(b"no sound at all" * 99)
    with pytest.raises(audio.AudioError, match="cannot be read"):
        audio.load(tmp_path / "x.mp3")
    assert capfd.readouterr() == ("", ""), "the reader's own remarks"


@pytest.mark.parametrize("kind", ["VORBIS", "OPUS"])
def test_joined_ogg_files_are_read_to_the_end(tmp_path, kind):
    soundfile.write(tmp_path / "x.ogg", tone(3.0, 48_000), 48_000, format="OGG", subtype=kind)
    once = (tmp_path / "x.ogg").read_bytes()
    (tmp_path / "x.ogg").write_bytes(once + once)
    assert len(audio.load(tmp_path / "x.ogg")) == pytest.approx(6 * RATE, abs=1500)


@pytest.mark.parametrize("name", ["x.mp3", "x.m4a", "x.mkv", "x.ogg", "x.flac", "x.wav"])
def test_a_part_is_that_part_of_the_whole(tmp_path, name):
    """A lossy decoder that begins in the middle gives a wrong first piece."""
    noise = np.random.default_rng(0).normal(0, 0.1, 20 * RATE)
    if name in ("x.m4a", "x.mkv"):
        encode(tmp_path / name, "aac", noise, RATE)
    else:
        soundfile.write(tmp_path / name, noise, RATE)
    whole, part = audio.load(tmp_path / name), audio.load(tmp_path / name, 10.0, 11.0)
    error = part - whole[10 * RATE : 11 * RATE]
    assert np.abs(error).max() < 1e-4


@pytest.mark.skipif(os.name != "posix", reason="names are bytes there")
@pytest.mark.parametrize("ending", ["wav", "m4a"])
def test_a_name_that_is_no_text(tmp_path, ending):
    path = encode(tmp_path / f"x.{ending}", {"wav": "pcm_s16le", "m4a": "aac"}[ending], tone(), RATE)
    path = path.rename(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe " + ending.encode()))
    assert pitch(audio.load(path)) == pytest.approx(440, abs=2)


def test_the_message_holds_the_reason_of_both_readers(tmp_path):
    (tmp_path / "x.wav").write_bytes(b"RIFF\x00\x00\x00\x00WAVEnothing that is sound" * 9)
    with pytest.raises(audio.AudioError, match=r"libsndfile: .+; FFmpeg: .+"):
        audio.load(tmp_path / "x.wav")


@pytest.mark.parametrize("start", [float("nan"), float("inf"), -1.0])
def test_impossible_beginnings_are_refused(tmp_path, start):
    audio.write(tmp_path / "x.wav", tone())
    for read in (lambda path: audio.load_speech(path, start), lambda path: audio.load(path, start)):
        with pytest.raises(audio.AudioError, match="begin at 0 s or later"):
            read(tmp_path / "x.wav")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_no_file(tmp_path):
    """Opening one would wait for ever."""
    os.mkfifo(tmp_path / "x.wav")
    with pytest.raises(FileNotFoundError):
        audio.load(tmp_path / "x.wav")


def test_times_that_matroska_rounds_make_no_clicks(tmp_path):
    """AAC frames of 1,024 samples at 44.1 kHz last 23.2 ms and are written as 23 or 24."""
    clean = audio.load(encode(tmp_path / "x.m4a", "aac", tone(4.0, 44_100), 44_100))[8000:-8000]
    rounded = audio.load(encode(tmp_path / "x.mkv", "aac", tone(4.0, 44_100), 44_100))[8000:-8000]
    assert np.abs(np.diff(rounded, 2)).max() < 1.2 * np.abs(np.diff(clean, 2)).max()


# --- channels


@pytest.mark.parametrize("layout", ["stereo", "5.1"])
def test_a_last_block_of_one_sample_is_no_axis(tmp_path, layout):
    channels = {"stereo": 2, "5.1": 6}[layout]
    path = encode(tmp_path / "x.mka", "pcm_s16le", np.stack([tone(2.0)[: 1024 * 20 + 1]] * channels), RATE, layout)
    np.testing.assert_allclose(audio.load(path), tone(2.0)[: 1024 * 20 + 1], atol=1e-3)


def test_one_sample_of_two_channels_is_one_sample(tmp_path):
    soundfile.write(tmp_path / "x.wav", np.full((1, 2), 0.25), RATE)
    assert audio.load(tmp_path / "x.wav").tolist() == [0.25]
    assert audio.to_mono(np.array([[0.25], [0.75]])).tolist() == [0.5]
    assert audio.to_mono(np.zeros((9, 2))).shape == (2,), "nine channels, not nine samples"


@pytest.mark.parametrize(
    "mix",
    [
        lambda voice: (voice, -voice),
        lambda voice: (voice, -0.95 * voice),
        lambda voice: (0 * voice, voice, -voice),
    ],
    ids=["opposite", "nearly", "three"],
)
def test_channels_that_cancel_are_not_added(tmp_path, voice, mix):
    channels = np.stack(mix(voice))
    soundfile.write(tmp_path / "x.wav", channels.T, RATE, subtype="FLOAT")
    np.testing.assert_array_equal(audio.load(tmp_path / "x.wav"), voice)
    np.testing.assert_array_equal(audio.to_mono(channels), voice)
    assert "cancel" in audio.load_speech(tmp_path / "x.wav").notes[0]


def test_one_channel_among_silent_ones_is_averaged_as_ever(tmp_path, voice):
    soundfile.write(tmp_path / "x.wav", np.stack([0 * voice] * 5 + [voice], axis=1), RATE, subtype="FLOAT")
    np.testing.assert_allclose(audio.load(tmp_path / "x.wav"), voice / 6, atol=1e-7)
    assert not audio.load_speech(tmp_path / "x.wav").notes


# --- rates


@pytest.mark.parametrize("rate", [7919, 16_001, 44_101, 47_999, 192_001])
def test_rates_without_common_divisor_are_read_in_bounded_memory(tmp_path, rate):
    import tracemalloc

    soundfile.write(tmp_path / "x.wav", tone(2.0, rate), rate)
    tracemalloc.start()
    waveform = audio.load(tmp_path / "x.wav")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6
    assert len(waveform) == pytest.approx(32_000, abs=10)
    assert pitch(waveform) == pytest.approx(440, abs=0.6)


@pytest.mark.parametrize("rate", [0, 1, 999, 768_001, 2**31 - 1])
def test_impossible_rates_are_refused(tmp_path, rate):
    soundfile.write(tmp_path / "x.wav", tone(0.5), RATE)
    data = bytearray((tmp_path / "x.wav").read_bytes())
    data[24:28] = struct.pack("<I", rate)
    (tmp_path / "x.wav").write_bytes(data)
    with pytest.raises(audio.AudioError, match=r"rate|cannot be read"):
        audio.load(tmp_path / "x.wav")
