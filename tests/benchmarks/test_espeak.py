"""The optional second synthesiser: as designed where it is installed, a clear error where it is not."""

import numpy as np
import pytest

from benchmarks import espeak
from s2f_lib.people import population, speech

needs_it = pytest.mark.skipif(not espeak.available(), reason="espeak-ng is not installed (optional)")
PEOPLE = [person for person in population.sample(40, seed=13) if person.language != "zh"][:12]


def measured_pitch(waveform: np.ndarray) -> float:
    """Median pitch in Hz by Praat, in a range that is the same for everybody."""
    parselmouth = pytest.importorskip("parselmouth")
    sound = parselmouth.Sound(waveform.astype(float), speech.SAMPLE_RATE)
    hertz = sound.to_pitch_ac(0.01, 50, 15, False, 0.03, 0.45, 0.01, 0.35, 0.14, 550).selected_array["frequency"]
    return float(np.median(hertz[hertz > 0]))


def stretch(reference: np.ndarray, other: np.ndarray) -> float:
    """The factor on all frequencies that makes the long-term spectrum of one clip most like that of another."""
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import welch

    (frequency, first), (_, second) = (welch(x, speech.SAMPLE_RATE, nperseg=1024) for x in (reference, other))
    first, second = (gaussian_filter1d(10 * np.log10(x + 1e-12), 4) for x in (first, second))
    grid, factors = np.linspace(600, 4200, 300), np.linspace(0.65, 1.5, 171)
    wanted = np.interp(grid, frequency, second)
    like = [np.corrcoef(np.interp(grid, frequency * factor, first), wanted)[0, 1] for factor in factors]
    return float(factors[int(np.argmax(like))])


@needs_it
def test_the_pitch_that_praat_measures_follows_the_one_asked_for():
    found = [measured_pitch(espeak.speak(person)) for person in PEOPLE]
    wanted = [person.voice["f0"] for person in PEOPLE]
    assert np.corrcoef(found, wanted)[0, 1] > 0.98
    octaves = np.log2(np.divide(found, wanted))
    assert abs(np.median(octaves)) < 1.5 / 12  # the median of a melody is a little above its middle
    assert np.abs(octaves).max() < 3 / 12  # and each language has a melody of its own


@needs_it
def test_a_longer_tract_has_lower_formants():
    """The whole spectrum moves by the ratio of the lengths, as that of a longer tube does."""
    for person in PEOPLE[:2]:
        person = person.intervene(f0=110, language="en")
        clips = {length: espeak.speak(person.intervene(vtl=length)) for length in (14.5, 16.5, 18.5)}
        assert stretch(clips[14.5], clips[18.5]) == pytest.approx(14.5 / 18.5, abs=0.02)
        assert stretch(clips[18.5], clips[16.5]) == pytest.approx(18.5 / 16.5, abs=0.02)


@needs_it
def test_a_clip_has_its_length_its_level_and_is_the_same_every_time():
    for seconds in (1, 6, 12):
        waveform = espeak.speak(PEOPLE[1], 1, "test", seconds=seconds)
        assert waveform.shape == (seconds * speech.SAMPLE_RATE,)
        assert waveform.dtype == np.float32
        assert np.abs(waveform).max() <= 1
        assert waveform[-speech.SAMPLE_RATE // 2 :].any()  # still speaking
        assert np.sqrt(np.mean(waveform**2)) == pytest.approx(0.05, rel=0.05)
    assert np.array_equal(espeak.speak(PEOPLE[1], 1), espeak.speak(PEOPLE[1], 1))
    assert not np.array_equal(espeak.speak(PEOPLE[1], 1), espeak.speak(PEOPLE[1], 2))
    noisy = espeak.speak(PEOPLE[1], channel=True)
    assert np.array_equal(noisy, espeak.speak(PEOPLE[1], channel=True))
    assert not np.allclose(noisy, espeak.speak(PEOPLE[1]))


@needs_it
def test_a_faster_speaker_says_more_in_the_same_time():
    slow, fast = (PEOPLE[0].intervene(rate=rate, language="en") for rate in (0.8, 1.4))
    text = "The morning train was late again."
    lengths = [
        len(espeak._say(text, espeak.voice_file(person.voice, "en"), person.voice["rate"])) for person in (slow, fast)
    ]
    assert lengths[0] > 1.4 * lengths[1]


@needs_it
def test_every_language_is_spoken_or_refused_with_the_reason():
    for language in ("en", "de", "es", "fr", "hi", "sw", "tr"):
        assert espeak.speak(PEOPLE[0], language=language, seconds=1).any()
    if espeak._reads_chinese():
        assert espeak.speak(PEOPLE[0], language="zh", seconds=1).any()
    else:
        with pytest.raises(ValueError, match=r"spells Chinese characters in English.*1\.52"):
            espeak.speak(PEOPLE[0], language="zh")


@needs_it
def test_the_version_is_a_number():
    assert espeak.version().startswith("espeak-ng 1.")


@needs_it
def test_a_failure_of_the_program_is_told_in_its_own_words():
    with pytest.raises(RuntimeError, match="espeak-ng failed"):
        espeak._say("hello", "name person\nlanguage xx\n", 1.0)


def test_without_the_program_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(espeak.shutil, "which", lambda name: None)
    assert not espeak.available()
    with pytest.raises(FileNotFoundError, match=r"espeak-ng is not on the PATH.*apt-get install espeak-ng"):
        espeak.speak(PEOPLE[0])
    with pytest.raises(FileNotFoundError, match="it is an optional program"):
        espeak.version()


def test_wrong_questions_get_clear_answers_with_or_without_it():
    with pytest.raises(ValueError, match="known languages: en, de"):
        espeak.speak(PEOPLE[0], language="klingon")
    with pytest.raises(ValueError, match="known: train, test"):
        espeak.speak(PEOPLE[0], sentences="validation")
    with pytest.raises(ValueError, match="1 to 12 s"):
        espeak.speak(PEOPLE[0], seconds=60)


def test_the_voice_file_says_what_the_person_is():
    voice = PEOPLE[0].voice | {"f0": 100.0, "f0_range": 1.0, "vtl": 18.889, "s2": 1.1}
    lines = espeak.voice_file(voice, "zh").splitlines()
    assert {"language cmn", "pitch 85 115", "formant 0 90 100 100", "formant 2 99 100 100"} <= set(lines)
