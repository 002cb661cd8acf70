"""The benchmark's reading of a vocal tract: a tube's length comes out, wide poles and bad frames do not shift it."""

import numpy as np
import pytest

from benchmarks import synthetic_voices
from s2f_lib.people import speech
from s2f_lib.people.population import sample

SPEED_OF_SOUND = 35_000  # cm/s


def tube(length: float, frames: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Candidates of a uniform tube closed at one end: four formants of usual width and an empty fifth place."""
    k = np.arange(1, 5)
    centre = np.tile(np.append((2 * k - 1) * SPEED_OF_SOUND / (4 * length), np.nan), (frames, 1))
    width = np.tile([60.0, 90, 180, 300, np.nan], (frames, 1))
    return centre, width


@pytest.mark.parametrize("length", [13.0, 17.0, 20.0])
def test_a_uniform_tube_has_the_length_it_was_made_with(length):
    assert synthetic_voices.tract_length(*tube(length)) == pytest.approx(length)


@pytest.mark.parametrize("hertz", [300.0, 1000.0, 2000.0, 3000.0, 4500.0])
def test_a_wide_pole_between_the_formants_is_left_out(hertz):
    centre, width = tube(16.0)
    centre[:, 4], width[:, 4] = hertz, 900.0
    order = np.argsort(centre, axis=1)  # Praat numbers candidates by frequency
    centre, width = (np.take_along_axis(x, order, axis=1) for x in (centre, width))
    assert synthetic_voices.tract_length(centre, width) == pytest.approx(16.0)


def test_bad_frames_do_not_count():
    centre, width = tube(16.0, 60)
    centre[:15] *= 1.4  # an error of the analysis, in a minority of frames
    centre[15:40] *= 0.5  # a larger error, where F4 is missing too
    centre[15:40, 3] = width[15:40, 3] = np.nan
    assert synthetic_voices.tract_length(centre, width) == pytest.approx(16.0)


def test_silence_is_named():
    nothing = np.full((3, 5), np.nan)
    with pytest.raises(ValueError, match="no frame with 4 formants among 3"):
        synthetic_voices.tract_length(nothing, nothing)


def test_the_perfect_listener_never_sees_the_person_it_is_asked_about():
    rng = np.random.default_rng(0)
    length = 16 * np.exp(0.05 * rng.standard_normal(30))
    noise = np.exp(0.02 * rng.standard_normal((30, 4)))
    formants = SPEED_OF_SOUND / (4 * length[:, None]) * (1, 3, 5, 7) * noise
    answer = synthetic_voices.perfect_listener(formants, length)
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
    assert abs(synthetic_voices.tract_length(centre, width) / person.voice["vtl"] - 1) < 0.12
