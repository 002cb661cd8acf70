"""Probes without a speaker: what is exchanged keeps its labels, and a spectrum holds no loudness."""

import numpy as np

from benchmarks import shortcuts


def test_every_face_is_exchanged_for_another_with_the_same_labels():
    groups = np.array(["a"] * 7 + ["b"] * 5 + ["alone"])
    place = shortcuts.exchanged(groups, seed=3)
    assert sorted(place) == list(range(13))
    assert (groups[place] == groups).all()
    assert (place != np.arange(13)).tolist() == [True] * 12 + [False]


def test_a_probe_hears_the_colour_of_pauses_and_of_speech_apart_and_no_loudness():
    time, random = np.arange(48_000) / 16_000, np.random.default_rng(0)
    loud = 0.3 * np.sin(2 * np.pi * 300 * time) * (time > 1.5)
    sound = (loud + 0.001 * random.standard_normal(48_000)).astype(np.float32)
    pauses, speech = shortcuts.spectra(sound)
    assert np.ptp(pauses[5:]) < 20 < np.ptp(speech)  # white noise is flat, a tone is not
    np.testing.assert_allclose(shortcuts.spectra(0.1 * sound), [pauses, speech], atol=0.1)
