import numpy as np
import pytest

from s2f_lib.metrics import labels

rng = np.random.default_rng(0)
TRUE = rng.choice(["A", "B", "C", "D"], 300, p=[0.5, 0.3, 0.1, 0.1])
GUESS = np.where(rng.random(300) < 0.6, TRUE, rng.choice(["A", "B", "C", "D"], 300))


def test_confusion_and_balanced_accuracy_are_those_of_sklearn():
    from sklearn import metrics

    np.testing.assert_allclose(labels.confusion(TRUE, GUESS), metrics.confusion_matrix(TRUE, GUESS, normalize="true"))
    counts = labels.confusion_counts(TRUE, GUESS)
    assert labels.balanced(counts) == pytest.approx(metrics.balanced_accuracy_score(TRUE, GUESS))


def test_constant_guess():
    assert labels.summary(["m", "f", "m"], ["m", "m", "f"])["constant"] == pytest.approx(2 / 3)
    row = labels.summary(TRUE, np.full(300, "A"))
    assert row["agreement"] == row["constant"]
    assert row["balanced"] == pytest.approx(0.25)


def test_decades():
    assert labels.decade(np.array([18.0, 20.0, 39.9, 85.0, 99.0])).tolist() == [10, 20, 30, 80, 80]


def test_an_empty_class_is_named():
    with pytest.raises(ValueError, match="class D has no clip"):
        labels.confusion(["A", "B", "C"], ["A", "B", "D"])
    with pytest.raises(ValueError, match="labels Q are not among"):
        labels.confusion(["A"], ["Q"], labels=["A", "B"])


def test_groups_have_their_own_interval_and_a_group_of_one_has_none():
    table = labels.by_group(np.r_[np.ones(20), np.zeros(20), 1.0], np.r_[np.repeat(["x", "y"], 20), ["z"]])
    assert table.loc["x", "mean"] == 1
    assert table.loc["y", "n"] == 20
    assert np.isnan(table.loc["z", "low"])


def test_mismatched_lengths_and_nan():
    with pytest.raises(ValueError, match="2 entries for 3"):
        labels.confusion(["a", "b", "c"], ["a", "b"])
    with pytest.raises(ValueError, match="NaN"):
        labels.decade(np.array([30.0, np.nan]))


def test_interval_from_counts_is_that_of_the_bootstrap_over_clips():
    from s2f_lib.metrics import inference

    right = np.random.default_rng(1).random(500) < 0.9
    sex = np.random.default_rng(2).integers(0, 2, 500)
    counts = labels.confusion_counts(sex, np.where(right, sex, 1 - sex))
    clips, ours = inference.mean_interval(right.astype(float), times=4000), labels.kept(counts)
    assert ours.estimate == clips.estimate
    assert (ours.low, ours.high) == pytest.approx((clips.low, clips.high), abs=0.008)


def test_balanced_and_constant_from_counts():
    counts = np.array([[80, 0, 0], [10, 0, 0], [0, 0, 0]])
    assert labels.balanced(counts) == 0.5
    assert labels.constant(counts) == pytest.approx(80 / 90)
    assert labels.constant(counts, within=1) == 1
    assert labels.kept(counts, within=1).estimate == 1
    with pytest.raises(ValueError, match="square matrix of counts"):
        labels.kept(np.zeros((2, 2)))
