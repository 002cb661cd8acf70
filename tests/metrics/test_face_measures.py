import numpy as np
import pytest

from s2f_lib.metrics.face_measures import EXTRA, MEASURES, PAPER_MEASURES, craniofacial


def test_the_papers_twelve_and_one_more():
    assert len(PAPER_MEASURES) == 12
    assert set(MEASURES) - set(PAPER_MEASURES) == set(EXTRA) == {"philtrum width"}


def test_values_by_hand():
    p = np.zeros((68, 2))
    p[[27, 33, 31, 35]] = (0, 0), (0, 10), (-3, 8), (3, 8)  # nose: bridge, base, wings
    p[[4, 12, 8]] = (-8, 20), (8, 20), (0, 26)  # jaw and chin
    p[[33, 62, 66, 51, 57]] = (0, 10), (0, 14), (0, 14), (0, 12), (0, 19)
    p[[48, 54, 1, 15, 50, 52]] = (-4, 14), (4, 14), (-10, 5), (10, 5), (-3, 12), (3, 12)
    p[[36, 39, 42, 45]] = (-9, 0), (-3, 0), (3, 0), (9, 0)
    values = craniofacial(p)
    expected = {
        "upper lip height": 4, "lateral upper lip heights": 4, "jaw width": 16, "nose height": 10, "nose width": 6,
        "labio oral region": 8, "mandibular index": 12 / 16, "intercanthal index": 6 / 18, "nasal index": 0.6,
        "vermilion height index": 2 / 5, "mouth face width index": 0.4, "nose area": 30, "philtrum width": 6,
    }  # fmt: skip
    assert values.keys() == expected.keys()
    for name, value in expected.items():
        assert float(values[name]) == pytest.approx(value), name


def test_lengths_scale_areas_scale_squared_and_indices_stay():
    points = np.random.default_rng(0).random((5, 68, 2))
    once, twice = craniofacial(points), craniofacial(2 * points)
    for name in MEASURES:
        factor = 1 if "index" in name or "idx" in name else 4 if "area" in name else 2
        assert np.allclose(twice[name], factor * once[name]), name


def test_wrong_points_are_refused():
    with pytest.raises(ValueError, match=r"\(\.\.\., 68, 2\), got \(5, 2\)"):
        craniofacial(np.zeros((5, 2)))
