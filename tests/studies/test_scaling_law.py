"""Growth curves: known laws are found again, and nonsense is refused."""

import numpy as np
import pytest

from benchmarks import voice_scaling
from s2f_lib import io
from s2f_lib.studies import scaling_law

CLIPS = np.array([6_400, 12_800, 25_600, 51_200, 102_400, 384_000])


def test_a_straight_line_over_the_logarithm_is_found_again():
    growth = voice_scaling.fit(CLIPS, 0.1 + 0.12 * np.log10(CLIPS / 1000))
    assert growth.slope == pytest.approx(0.12, abs=1e-9)
    hopeful, _ = voice_scaling.clips_for(growth, 0.8)
    assert hopeful == pytest.approx(1000 * 10 ** (0.7 / 0.12), rel=1e-6)


def test_a_saturating_curve_is_found_again_and_never_reaches_more_than_its_limit():
    growth = voice_scaling.fit(CLIPS, 0.7 - 30 * CLIPS**-0.5)
    assert growth.limit == pytest.approx(0.7, abs=0.011)  # the grid of limits has steps of 0.01
    assert growth.saturating(CLIPS) == pytest.approx(0.7 - 30 * CLIPS**-0.5, abs=0.005)
    assert voice_scaling.clips_for(growth, 0.5)[1] == pytest.approx((30 / 0.2) ** 2, rel=0.1)
    assert voice_scaling.clips_for(growth, 0.75)[1] == np.inf


def test_no_share_above_one():
    assert voice_scaling.fit(CLIPS, 0.1 + 0.12 * np.log10(CLIPS / 1000)).log_linear(1e12) == 1.0


def test_three_points_are_too_few():
    with pytest.raises(ValueError, match="four points"):
        voice_scaling.fit(CLIPS[:3], [0.1, 0.2, 0.3])


def test_a_record_gives_its_points_and_curves_back(tmp_path):
    rng = np.random.default_rng(0)
    hits = {int(n): 1.0 * (rng.random(400) < 0.1 + 0.02 * i) for i, n in enumerate(CLIPS)}
    hits["oracle"] = 1.0 * (rng.random(400) < 0.4)
    path = io.write_record(tmp_path / "r.json", rows=voice_scaling.growth(hits), command="c", n=400, seconds=1)
    points, growth = scaling_law.of_record(io.read_record(path))
    assert points[:, 0].tolist() == CLIPS.tolist()
    shares = [(hits[int(n)].mean() - 0.1) / (hits["oracle"].mean() - 0.1) for n in CLIPS]
    assert points[:, 1] == pytest.approx(shares)
    assert (points[:, 2] <= points[:, 1]).all()
    assert (points[:, 1] <= points[:, 3]).all()
    assert growth.log_linear(CLIPS) == pytest.approx(voice_scaling.fit(CLIPS, shares).log_linear(CLIPS))
