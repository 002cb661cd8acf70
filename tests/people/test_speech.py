"""Speech: what was asked for is what a phonetician's program measures; sentences of train and test never meet."""

import numpy as np
import pytest

from s2f_lib.people import channel, score, speech
from s2f_lib.people.causes import LANGUAGES
from s2f_lib.people.phones import CONSONANTS, VOWELS, parse
from s2f_lib.people.population import sample
from s2f_lib.people.speech import SAMPLE_RATE, speak, speak_many

RANGES = {"male": (60, 350), "female": (100, 500)}  # Hz: lowest and highest pitch


@pytest.fixture(scope="module")
def people():
    return sample(56, seed=4000)


def praat(waveform):
    parselmouth = pytest.importorskip("parselmouth", reason="praat-parselmouth measures the voices")
    return parselmouth.Sound(waveform.astype(float), SAMPLE_RATE)


def measured_pitch(waveform, sex="male") -> float:
    low, high = RANGES[sex]
    hertz = praat(waveform).to_pitch_ac(0.01, low, 15, False, 0.03, 0.45, 0.01, 0.35, 0.14, high)
    hertz = hertz.selected_array["frequency"]
    return float(np.median(hertz[hertz > 0]))


def formant_medians(waveform, truth, length: float) -> tuple[np.ndarray, np.ndarray]:
    """Measured and true medians over vowels; the ceiling fits the tract, as Praat's manual advises."""
    frames = np.flatnonzero(truth.vowel)[::2]
    burg = praat(waveform).to_formant_burg(0.005, 5, 5 * 35_000 / (2 * length), 0.025, 50)
    measured = [[burg.get_value_at_time(k, truth.time[f]) for k in (1, 2, 3)] for f in frames]
    return np.nanmedian(measured, axis=0), np.median(truth.formants[frames], axis=0)


@pytest.mark.parametrize("i", range(4))
def test_the_pitch_asked_for_is_the_pitch_heard(people, i):
    person = people[i]
    waveform, truth = speak(person, channel=False, return_tracks=True)
    heard = measured_pitch(waveform, person.sex)
    assert abs(heard / person.voice["f0"] - 1) < 0.04
    assert abs(heard / np.median(truth.f0[truth.voiced]) - 1) < 0.03


@pytest.mark.parametrize("sex", ["male", "female"])
def test_the_formants_of_the_truth_are_the_formants_heard(people, sex):
    person = next(p for p in people if p.sex == sex)
    plain = {"nasality": 0.02, "bw": 0.9, "breath": 0.01, "f0": 110 if sex == "male" else 170}
    waveform, truth = speak(person, channel=False, return_tracks=True, language="en", voice=plain)
    heard, meant = formant_medians(waveform, truth, person.voice["vtl"])
    assert np.all(np.abs(heard / meant - 1) < (0.10, 0.05, 0.05)), (heard, meant)


def test_a_longer_tract_lowers_all_formants_by_its_length(people):
    tracks = [speak(people[0], return_tracks=True, voice={"vtl": length})[1] for length in (15.0, 18.0)]
    ratio = np.median(tracks[0].formants / tracks[1].formants, axis=0)
    assert np.allclose(ratio, 18 / 15, rtol=0.01)


def test_a_breathy_voice_has_less_harmonics_over_noise(people):
    def harmonicity(breath):
        sound = praat(speak(people[0], channel=False, voice={"breath": breath}, seconds=3))
        values = sound.to_harmonicity_cc(0.01, 60, 0.1, 1.0).values
        return values[values > -100].mean()

    assert harmonicity(0.01) > harmonicity(0.15) + 2  # dB


def test_faster_speech_says_more(people):
    def vowels(rate):
        vowel = speak(people[0], return_tracks=True, voice={"rate": rate}, seconds=3)[1].vowel
        return (np.diff(vowel.astype(int)) == 1).sum()

    assert vowels(1.4) > 1.2 * vowels(0.7)


def test_a_clip_is_bit_identical_when_repeated_and_different_in_another_item(people):
    person = people[7]
    clip = speak(person, 2, seconds=2)
    assert np.array_equal(clip, speak(person, 2, seconds=2))
    assert not np.array_equal(clip, speak(person, 3, seconds=2))


def test_many_clips_do_not_depend_on_the_number_of_processes(people):
    few = people[:17]  # more than one chunk
    clips = speak_many(few, items=[1], workers=2, seconds=1)
    assert clips.dtype == np.int16
    assert np.array_equal(clips, speak_many(few, items=[1], workers=1, seconds=1))
    assert np.allclose(clips[5, 0] / 32_767, speak(few[5], 1, seconds=1), atol=2e-5)


def test_a_changed_voice_says_the_same_sentences(people):
    person = people[0]
    plain = speak(person, return_tracks=True)[1]
    other = speak(person, return_tracks=True, voice={"f0": 200.0, "vtl": 15.0})[1]
    assert plain.text == other.text
    foreign = speak(person, return_tracks=True, language="tr")[1]
    assert foreign.language == "tr"
    assert foreign.text[0] in [s["text"] for s in score.sentences("tr", "train")]


@pytest.mark.parametrize("seconds", [1, 2.5, 12])
def test_clips_have_the_length_asked_for(people, seconds):
    waveform = speak(people[0], seconds=seconds)
    assert waveform.shape == (round(seconds * SAMPLE_RATE),)
    assert waveform.dtype == np.float32
    last = waveform[-SAMPLE_RATE // 2 :]
    assert np.abs(last).max() > 0.002  # still speaking, or the room still sounds


def test_the_channel_sets_the_level_and_adds_a_room(people):
    clean = speak(people[0], channel=False)
    loud = [channel.apply(clean, np.random.default_rng(k)) for k in range(8)]
    levels = [20 * np.log10(np.sqrt(np.mean(x**2))) for x in loud]
    assert min(levels) > -31
    assert max(levels) < -17.9
    assert np.abs(loud).max() <= 1
    assert 0.3 < np.corrcoef(clean, loud[0])[0, 1] < 0.999
    quiet = channel.apply(clean, np.random.default_rng(0), strength=0)
    assert np.corrcoef(clean, quiet)[0, 1] > 0.9999


def test_sentences_of_train_and_test_are_disjoint_and_enough():
    for language in LANGUAGES:
        train = {s["text"] for s in score.sentences(language, "train")}
        test = {s["text"] for s in score.sentences(language, "test")}
        assert (len(train), len(test)) == (18, 6)
        assert not train & test
    assert score.SCORES.stat().st_size < 1_000_000


def test_two_clips_of_a_person_share_no_sentence(people):
    for person in people[:2]:
        first, second = (speak(person, k, return_tracks=True, channel=False)[1].text for k in (0, 1))
        assert not set(first) & set(second)


def test_every_phone_of_every_score_is_known():
    silent, marks = set(), "ˈˌːʰ.̃-h̩̪"
    for splits in score.load_scores().values():
        for sentence in splits["train"] + splits["test"]:
            for symbol, ms in sentence["phones"]:
                phones, _ = parse(symbol)
                assert all(p.letter in VOWELS or p.letter in CONSONANTS for p in phones)
                if not phones and symbol.strip(marks):
                    silent.add(symbol)
                assert 0 <= ms < 1500
    assert silent <= {"ʲ"}, silent


def test_wrong_questions_get_clear_answers(people):
    person = people[0]
    for options, message in [
        ({"language": "klingon"}, "known languages: en, de"),
        ({"sentences": "validation"}, "known: train, test"),
        ({"voice": {"pitch": 3}}, "unknown voice parameter 'pitch'"),
        ({"voice": {"vtl": 30}}, "wanted 12 to 21.5 cm"),
        ({"voice": {"vtl": "long"}}, "wanted 12 to 21.5 cm"),
        ({"voice": {"idiolect": -1}}, "idiolect is -1; wanted"),
        ({"channel": 5}, "strength from 0 to 1"),
        ({"channel": float("nan")}, "strength from 0 to 1"),
        ({"seconds": 0.1}, "1 to 12 s"),
        ({"seconds": "6"}, "seconds is '6'; clips of 1 to 12 s"),
        ({"seconds": None}, "1 to 12 s"),
        ({"channel": "loud"}, "channel is 'loud'; wanted True, False or a strength"),
        ({"voice": 5}, "voice is 5; wanted voice parameters by name"),
        ({"language": ["de"]}, "known languages: en, de"),
        ({"sentences": ["train"]}, "known: train, test"),
        ({"item": -1}, "numbered 0, 1, 2"),
        ({"item": True}, "item is True; clips are numbered"),
    ]:
        with pytest.raises(ValueError, match=message):
            speak(person, **options)
    with pytest.raises(ValueError, match="which is no clip"):
        speak_many(people[:2], items=0, workers=1)


def test_the_truth_ends_where_the_speech_does(people):
    """Person 243 makes short pauses: the arrays of the truth are then shorter than the clip, all by as much."""
    waveform, truth = speak(sample(244, seed=4000)[243], 0, "test", channel=False, return_tracks=True)
    assert len(truth.time) == 1150  # of 1,200
    assert {len(x) for x in (truth.f0, truth.formants, truth.voiced, truth.vowel)} == {1150}
    assert len(waveform) == 6 * SAMPLE_RATE
    assert waveform[: 1150 * speech.HOP][-SAMPLE_RATE:].any()
    assert not waveform[1150 * speech.HOP + SAMPLE_RATE // 20 :].any()


def test_the_truth_covers_the_clip(people):
    waveform, truth = speak(people[0], return_tracks=True)
    assert len(truth.time) == len(waveform) / speech.HOP == len(truth.f0) == len(truth.formants)
    assert np.all(np.diff(truth.formants, axis=1) > 0)  # F1 < F2 < F3, always
    assert 0.3 < truth.voiced.mean() < 0.95
