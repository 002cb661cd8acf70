import numpy as np
import pytest

from s2f_lib.metrics import inference


def test_interval_of_a_mean_is_that_of_scipy():
    from scipy import stats

    x = np.random.default_rng(0).exponential(size=300)
    ours = inference.mean_interval(x, times=4000)
    theirs = stats.bootstrap((x,), np.mean, method="percentile", n_resamples=4000, rng=1).confidence_interval
    assert ours.low == pytest.approx(theirs.low, abs=0.02)
    assert ours.high == pytest.approx(theirs.high, abs=0.02)
    general = inference.bootstrap(np.mean, x, times=2000)
    assert general.low == pytest.approx(ours.low, abs=0.02)


def test_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(1)
    hits = 0
    for i in range(300):
        interval = inference.mean_interval(rng.normal(size=60), times=300, seed=i)
        hits += interval.low <= 0 <= interval.high
    assert 0.89 <= hits / 300 <= 0.99


def test_clips_of_one_person_come_together():
    people = np.repeat(np.arange(30), 4)
    values = np.repeat(np.random.default_rng(2).normal(size=30), 4)
    grouped = inference.mean_interval(values, people)
    naive = inference.mean_interval(values)
    assert grouped.n == 30
    assert grouped.high - grouped.low > 1.6 * (naive.high - naive.low)
    for rows in inference.draws(120, people, times=5):
        assert all(count % 4 == 0 for count in np.bincount(people[rows]))


def test_a_share_of_all_or_none_has_an_interval_of_some_width():
    every = inference.mean_interval(np.ones(60))
    assert (every.estimate, every.high, every.n) == (1, 1, 60)
    assert every.low == pytest.approx(0.025 ** (1 / 60))  # all of 60 by chance, in one of 40 such corpora
    none = inference.mean_interval(np.zeros(60))
    assert (none.low, none.high) == pytest.approx((0, 1 - every.low))
    people = np.repeat(np.arange(6), 10)  # sixty clips of six people say less
    assert inference.mean_interval(np.ones(60), people).low == pytest.approx(0.025 ** (1 / 6))


def test_one_person_has_no_interval():
    with pytest.raises(ValueError, match="two people"):
        inference.mean_interval(np.ones(4), people=np.zeros(4))
    with pytest.raises(ValueError, match="two people"):
        inference.bootstrap(np.mean, np.ones(1))


def test_a_statistic_that_is_never_a_number_is_refused():
    with pytest.raises(ValueError, match="every resampled"):
        inference.bootstrap(lambda x: np.nan, np.arange(5.0), times=10)


def test_permutation_finds_what_is_there_and_nothing_else():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 200)
    x = rng.normal(size=200)

    def gap(values):
        return lambda shuffled: abs(values[shuffled == 1].mean() - values[shuffled == 0].mean())

    assert inference.permutation_test(gap(x + labels), labels, times=200)["p"] == pytest.approx(1 / 201)
    p = [inference.permutation_test(gap(rng.normal(size=200)), labels, times=60, seed=i)["p"] for i in range(60)]
    assert 0.35 < np.mean(p) < 0.65


def test_holm_follows_its_definition():
    p = np.random.default_rng(4).uniform(size=13) ** 3
    found = inference.holm(p)
    for level in (0.01, 0.05, 0.2):  # step down until the first one that fails
        rejected = np.zeros(13, bool)
        for step, i in enumerate(np.argsort(p)):
            if p[i] > level / (13 - step):
                break
            rejected[i] = True
        np.testing.assert_array_equal(found <= level, rejected)


def test_mismatched_lengths_say_so():
    with pytest.raises(ValueError, match="as many"):
        inference.bootstrap(lambda a, b: 0.0, np.ones(3), np.ones(4))
    with pytest.raises(ValueError, match="5 entries for 3"):
        inference.mean_interval(np.ones(3), people=np.ones(5))
