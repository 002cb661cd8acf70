"""The benchmark's reading of a vocal tract: a tube's length comes out, wide poles and bad frames do not shift it."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import synthetic_voices
from s2f_lib import io
from s2f_lib.metrics.verification import auc_of_people
from s2f_lib.people import speech
from s2f_lib.people.population import sample

SPEED_OF_SOUND = 35_000  # cm/s


def tube(length: float, frames: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Candidates of a uniform tube closed at one end: four formants of usual width and an empty fifth place."""
    k = np.arange(1, 5)
    centre = np.tile(np.append((2 * k - 1) * SPEED_OF_SOUND / (4 * length), np.nan), (frames, 1))
    width = np.tile([60.0, 90, 180, 300, np.nan], (frames, 1))
    return centre, width


def by_frequency(centre, width):
    """In the order in which Praat numbers candidates."""
    order = np.argsort(centre, axis=1)
    return tuple(np.take_along_axis(x, order, axis=1) for x in (centre, width))


@pytest.mark.parametrize(("ceiling", "length"), [(5500, 13.0), (5500, 16.5), (5000, 15.0), (5000, 20.0)])
def test_a_uniform_tube_has_the_length_it_was_made_with(ceiling, length):
    formants = synthetic_voices.four_formants(*tube(length), ceiling)
    assert formants == pytest.approx(tube(length)[0][0, :4])
    assert synthetic_voices.tract_length(formants[None]) == pytest.approx([length])


@pytest.mark.parametrize("hertz", [300.0, 1000.0, 2000.0, 3000.0, 4500.0])
@pytest.mark.parametrize("length", [16.0, 19.0])
def test_a_wide_pole_between_the_formants_is_left_out(hertz, length):
    centre, width = tube(length)
    centre[:, 4], width[:, 4] = hertz, 1200.0
    formants = synthetic_voices.four_formants(*by_frequency(centre, width), 5000)
    assert formants == pytest.approx(tube(length)[0][0, :4])


def test_a_fifth_formant_below_the_ceiling_is_left_out_even_where_the_fourth_is_wider():
    centre, width = tube(18.0)
    centre[:, 4], width[:, 4] = 9 * SPEED_OF_SOUND / (4 * 18.0), 220.0
    width[:, 3] = 600.0
    assert synthetic_voices.four_formants(centre, width, 5000) == pytest.approx(tube(18.0)[0][0, :4])


def test_bad_frames_do_not_count():
    centre, width = tube(16.0, 60)
    centre[:15] *= 1.4  # an error of the analysis, in a minority of frames
    centre[15:40] *= 0.5  # a larger error, where F4 is missing too
    centre[15:40, 3] = width[15:40, 3] = np.nan
    assert synthetic_voices.four_formants(centre, width, 5000) == pytest.approx(tube(16.0)[0][0, :4])


def test_one_formant_taken_for_another_costs_little():
    right = SPEED_OF_SOUND / (4 * 16.0) * np.array([[1.0, 3, 5, 7]])
    for k in range(4):
        wrong = right.copy()
        wrong[0, k] *= 1.5
        assert synthetic_voices.tract_length(wrong) == pytest.approx([16.0])


def test_silence_is_named():
    nothing = np.full((3, 5), np.nan)
    with pytest.raises(ValueError, match="no frame with 4 formants among 3"):
        synthetic_voices.four_formants(nothing, nothing, 5000)


def test_the_weights_for_a_person_come_from_the_others():
    rng = np.random.default_rng(0)
    length = 16 * np.exp(0.05 * rng.standard_normal(30))
    noise = np.exp(0.02 * rng.standard_normal((30, 4)))
    formants = SPEED_OF_SOUND / (4 * length[:, None]) * (1, 3, 5, 7) * noise
    answer = synthetic_voices.weighted_length(formants, length)
    for i in (0, 7, 29):
        others = np.arange(30) != i
        design = np.column_stack([np.ones(30), np.log(formants)])
        weights = np.linalg.lstsq(design[others], np.log(length[others]), rcond=None)[0]
        assert answer[i] == pytest.approx(np.exp(design[i] @ weights))


def test_the_fourth_formant_follows_tract_and_larynx_and_is_heard():
    pytest.importorskip("parselmouth", reason="praat-parselmouth measures the voices")
    person = next(p for p in sample(8, seed=4001) if p.sex == "male")
    fourth = synthetic_voices.fourth_formant(person)
    assert fourth == pytest.approx(7 * SPEED_OF_SOUND / (4 * person.voice["vtl"]) * person.voice["s4"], rel=1e-6)
    sound, truth = speech.speak(person, channel=False, return_tracks=True, language="en")
    centre, width = synthetic_voices._candidates(sound, truth, synthetic_voices.FIXED_CEILING["male"])
    nearest = np.nanmin(np.abs(centre / fourth - 1), axis=1)
    assert np.median(nearest) < 0.03
    formants = synthetic_voices.four_formants(centre, width, synthetic_voices.FIXED_CEILING["male"])
    assert abs(synthetic_voices.tract_length(formants[None])[0] / person.voice["vtl"] - 1) < 0.12


def test_a_clip_that_ends_in_silence_is_measured():
    pytest.importorskip("parselmouth", reason="praat-parselmouth measures the voices")
    person = sample(1, seed=4001)[0]
    sound, truth = speech.speak(person, channel=False, return_tracks=True, language="en", seconds=2)
    shorter = replace(truth, vowel=truth.vowel[:300])  # a fast speaker was done after 1.5 s
    centre, _ = synthetic_voices._candidates(sound, shorter, 5000)
    assert 0 < len(centre) <= 150


def test_the_null_test_on_sound_finds_arrows_and_nothing_else():
    """Small here; the record has it for 2,016 people (`synthetic_people.py --null`)."""
    found = io.Record(synthetic_voices.null_rows(seed=11, people=112, shuffles=200))
    assert found.value("largest_r", world="null") < 1.3 * found.value("chance_r", world="null")
    assert found.value("p", world="null") > 0.01
    assert found.value("p", world="physiology") < 0.01
    assert found.value("largest_r", world="physiology") > found.value("chance_r", world="physiology")


def test_the_bootstrap_of_verification_compares_nobody_with_himself_as_another():
    rng = np.random.default_rng(0)
    cosine = rng.normal(size=(40, 40)) + 1.5 * np.eye(40)
    everybody = np.arange(40)
    value = auc_of_people(cosine, everybody)
    others = cosine[~np.eye(40, dtype=bool)]
    assert value == pytest.approx(np.mean([np.mean(others < own) for own in np.diag(cosine)]))
    assert auc_of_people(cosine, np.repeat(everybody, 2)) == pytest.approx(value)
    ends = synthetic_voices._ends(lambda who: auc_of_people(cosine, who), everybody)
    assert ends["low"] < value < ends["high"]
