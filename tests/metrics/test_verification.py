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
    assert float(np.diff(fitted([0.0, 1.0]))[0]) == pytest.approx(1.5, abs=0.2)  # the slope
    for wrong in (np.array([1.0, np.nan]), np.array([]), np.ones((2, 2))):
        with pytest.raises(ValueError):
            verification.calibrate(wrong, DIFFERENT)


def test_scores_within_a_group_compare_the_group_only():
    v = rng.normal(size=(6, 4))
    same, different = verification.pair_scores(v, v)
    assert same.tolist() == pytest.approx([1] * 6)
    assert len(different) == 30
    assert len(verification.pair_scores(v, v, groups=np.repeat([0, 1], 3))[1]) == 12


def test_one_person_cannot_be_compared():
    with pytest.raises(ValueError, match="two different people"):
        verification.pair_scores(np.ones((1, 3)), np.ones((1, 3)))


def test_auc_by_hand_with_a_tie():
    assert verification.auc(np.array([2.0, 1.0]), np.array([1.0, 0.0])) == pytest.approx(3.5 / 4)
    with pytest.raises(ValueError, match="same has 0"):
        verification.auc(np.array([]), np.array([1.0]))


def test_auc_of_people_compares_inside_groups_only():
    similarity = np.array([[3.0, 1.0, 9.0], [1.0, 2.0, 9.0], [9.0, 9.0, 5.0]])
    everybody, groups = np.arange(3), np.array(["a", "a", "b"])
    assert verification.auc_of_people(similarity, everybody, groups) == 1
    assert verification.auc_of_people(similarity, everybody) == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="different has 0"):
        verification.auc_of_people(similarity, np.array([0, 0, 2]), groups)


def test_verification_tells_people_apart_and_chance_is_a_half():
    rng = np.random.default_rng(0)
    person, noise = rng.normal(size=(60, 1, 20)), rng.normal(size=(60, 3, 20))
    assert verification.auc_of_pictures(person + 0.1 * noise) > 0.99
    assert abs(verification.auc_of_pictures(noise) - 0.5) < 0.05


def test_matched_comparison_is_harder():
    rng = np.random.default_rng(0)
    sex, group, age = np.array(["female", "male"] * 40), np.array(["A", "A", "B", "B"] * 20), np.full(80, 40.0)
    traits = np.stack([sex == "male", group == "A"], 1)[:, None] * 3.0
    v_f = np.concatenate([np.tile(traits, (1, 3, 1)), rng.normal(size=(80, 3, 5))], axis=2)
    assert (
        verification.auc_of_pictures(v_f, verification.matched_pairs(sex, group, age))
        < verification.auc_of_pictures(v_f) - 0.1
    )
