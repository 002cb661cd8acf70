import numpy as np
import pytest

from s2f_lib.metrics import verification

rng = np.random.default_rng(0)
SAME, DIFFERENT = rng.normal(1.5, 1, 400), rng.normal(0, 1, 3000)


def test_auc_is_that_of_sklearn():
    from sklearn.metrics import roc_auc_score

    y = np.r_[np.ones(400), np.zeros(3000)]
    assert verification.auc(SAME, DIFFERENT) == pytest.approx(roc_auc_score(y, np.r_[SAME, DIFFERENT]))


def test_equal_error_rate_of_two_gaussians():
    from scipy import stats

    assert verification.equal_error_rate(SAME, DIFFERENT) == pytest.approx(stats.norm.cdf(-0.75), abs=0.025)
    assert verification.equal_error_rate(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 0


def test_true_ratios_cost_less_than_none_or_wrong_ones():
    def ratio(x):
        return 1.5 * x - 1.125  # of N(1.5, 1) to N(0, 1)

    exact = verification.cllr(ratio(SAME), ratio(DIFFERENT))
    assert exact < 1
    assert exact < verification.cllr(3 * ratio(SAME), 3 * ratio(DIFFERENT))  # over-confident
    fitted = verification.calibrate(SAME, DIFFERENT)
    assert verification.cllr(fitted(SAME), fitted(DIFFERENT)) == pytest.approx(exact, abs=0.02)
    assert fitted.slope == pytest.approx(1.5, abs=0.2)


def test_scores_within_a_group_compare_the_group_only():
    v = rng.normal(size=(6, 4))
    same, different = verification.pair_scores(v, v)
    assert same.tolist() == pytest.approx([1] * 6)
    assert len(different) == 30
    assert len(verification.pair_scores(v, v, groups=np.repeat([0, 1], 3))[1]) == 12


def test_one_person_cannot_be_compared():
    with pytest.raises(ValueError, match="two different people"):
        verification.pair_scores(np.ones((1, 3)), np.ones((1, 3)))
