import numpy as np
import pytest

from s2f_lib.metrics import retrieval

rng = np.random.default_rng(1)
FACES = rng.normal(size=(60, 12)).astype(np.float32)
VOICES = (FACES + 1.5 * rng.normal(size=FACES.shape)).astype(np.float32)


def brute_ranks(queries, gallery, metric):
    from scipy.spatial.distance import cdist

    name = {"cosine": "cosine", "l2": "euclidean", "l1": "cityblock"}[metric]
    d = cdist(queries, gallery, name)
    return 1 + (d < np.diag(d)[:, None]).sum(axis=1)


@pytest.mark.parametrize("metric", ["cosine", "l2", "l1"])
def test_ranks_are_those_of_scipy(metric):
    ranks = retrieval.rank(VOICES, FACES, metric=metric, block=7)
    np.testing.assert_array_equal(ranks.expected, brute_ranks(VOICES, FACES, metric))


@pytest.mark.parametrize("metric", ["cosine", "l2", "l1"])
@pytest.mark.parametrize("faces", [1, 4, 33, 50])
def test_distances_are_those_of_scipy_for_any_gallery_size(metric, faces):
    from scipy.spatial.distance import cdist

    name = {"cosine": "cosine", "l2": "sqeuclidean", "l1": "cityblock"}[metric]
    found = retrieval._distances(*retrieval._prepared(VOICES, FACES[:faces], metric), metric)
    np.testing.assert_allclose(found, cdist(VOICES, FACES[:faces], name), rtol=2e-4, atol=2e-5)


def test_recall_is_that_of_torchmetrics():
    torch = pytest.importorskip("torch")
    metrics = pytest.importorskip("torchmetrics.retrieval")
    similarity = 1 - retrieval._distances(*retrieval._prepared(VOICES, FACES, "cosine"), "cosine")
    n = len(FACES)
    args = (
        torch.tensor(similarity.ravel()),
        torch.eye(n, dtype=torch.bool).ravel(),
    )
    indexes = torch.arange(n).repeat_interleave(n)
    for k in (1, 5, 10):
        theirs = metrics.RetrievalRecall(top_k=k)(*args, indexes=indexes)
        assert retrieval.rank(VOICES, FACES).recall(k) == pytest.approx(float(theirs), abs=1e-6)


def test_a_ranking_made_by_hand():
    gallery = np.array([[0.0], [1.0], [2.0], [3.0]])
    queries = np.array([[0.1], [2.9], [2.2], [0.4]])  # places of the right face: 1, 3, 1, 4
    ranks = retrieval.rank(queries, gallery, metric="l2")
    assert ranks.expected.tolist() == [1, 3, 1, 4]
    assert ranks.recall(1) == 0.5
    assert ranks.recall(3) == 0.75
    assert ranks.median() == 2
    assert ranks.top_percent(25) == 0.5
    assert ranks.match(2).tolist() == pytest.approx([1, 1 / 3, 1, 0])
    assert ranks.match(4).tolist() == [1, 0, 1, 0]


def test_ranks_by_cosine_by_hand():
    probes = np.array([[1.0, 0, 0], [0.9, 0.5, 0], [0.9, 0.8, 0.1]])
    assert retrieval.rank(probes, np.eye(3)).expected.tolist() == [1, 2, 3]


def test_a_constant_guess_scores_exactly_chance():
    same_order = retrieval.rank(np.ones((60, 12)), FACES)  # one list for everybody: each place is taken once
    assert sorted(same_order.expected) == list(range(1, 61))
    tied = retrieval.rank(VOICES, np.ones((60, 12)), metric="l2")  # all faces alike: everything is tied
    assert tied.recall(1) == pytest.approx(1 / 60)
    assert tied.top_percent(10) == pytest.approx(0.1)
    assert tied.match(2).mean() == pytest.approx(0.5)
    assert tied.match(10).mean() == pytest.approx(0.1)


def test_chance_by_formula_is_chance_by_shuffling():
    shuffled = [retrieval.rank(VOICES[rng.permutation(60)], FACES) for _ in range(80)]
    numbers = retrieval.summary(retrieval.rank(VOICES, FACES))
    for name, found in (
        ("top10_percent", [r.top_percent(10) for r in shuffled]),
        ("recall_at_5", [r.recall(5) for r in shuffled]),
        ("match_1_2", [r.match(2).mean() for r in shuffled]),
        ("match_1_10", [r.match(10).mean() for r in shuffled]),
        ("median_rank", [r.median() for r in shuffled]),
    ):
        assert np.mean(found) == pytest.approx(numbers[name]["chance"], abs=5 * np.std(found) / np.sqrt(80) + 1e-9)


def test_matching_is_what_random_lineups_give():
    ranks = retrieval.rank(VOICES, FACES)
    d = retrieval._distances(*retrieval._prepared(VOICES, FACES, "cosine"), "cosine")
    wins = []
    for _ in range(4000):
        i = rng.integers(60)
        others = rng.choice(np.delete(np.arange(60), i), 4, replace=False)
        wins.append(d[i, i] < d[i, others].min())
    assert ranks.match(5).mean() == pytest.approx(np.mean(wins), abs=4 * np.std(wins) / np.sqrt(4000))


def test_the_order_of_people_does_not_matter():
    order = rng.permutation(60)
    before, after = retrieval.rank(VOICES, FACES), retrieval.rank(VOICES[order], FACES[order])
    np.testing.assert_array_equal(before.expected[order], after.expected)


def test_scaling_features_does_not_change_cosine_ranks():
    scale = rng.uniform(0.1, 10, (60, 1)).astype(np.float32)
    np.testing.assert_array_equal(
        retrieval.rank(VOICES, FACES).expected, retrieval.rank(VOICES * scale, FACES * scale[::-1]).expected
    )


def test_within_group_galleries_hold_the_group_only():
    groups = np.repeat(["x", "y"], [20, 40])
    ranks = retrieval.rank(VOICES, FACES, groups=groups)
    assert ranks.size.tolist() == [20] * 20 + [40] * 40
    alone = retrieval.rank(VOICES[:20], FACES[:20])
    np.testing.assert_array_equal(ranks.expected[:20], alone.expected)


def test_queries_with_several_clips_of_a_person_point_at_the_same_face():
    ranks = retrieval.rank(np.repeat(FACES, 2, axis=0), FACES, truth=np.repeat(np.arange(60), 2))
    assert ranks.recall(1) == 1
    assert len(ranks) == 120


def test_summary_has_intervals_around_values():
    for name, row in retrieval.summary(retrieval.rank(VOICES, FACES)).items():
        assert row["low"] <= row["value"] <= row["high"], name


def test_nearest_gives_the_right_face_first_for_perfect_features():
    assert retrieval.nearest(FACES, FACES, k=3)[:, 0].tolist() == list(range(60))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metric": "euclid"}, "metric should be one of"),
        ({"gallery": FACES[:10]}, "say with `truth`"),
        ({"gallery": FACES[:, :5]}, "dimensions"),
        ({"truth": np.full(60, 99)}, "outside the gallery"),
        ({"truth": np.zeros(3)}, "3 entries for 60"),
        ({"queries": np.full((60, 12), np.nan)}, "NaN or infinite"),
        ({"groups": np.zeros(3)}, "3 entries for 60"),
        ({"queries": np.zeros((60, 12))}, "rows of zeros"),
    ],
)
def test_bad_input_says_what_is_wrong(arguments, message):
    with pytest.raises(ValueError, match=message):
        retrieval.rank(**({"queries": VOICES, "gallery": FACES} | arguments))


def test_one_person_can_be_ranked_but_has_no_interval():
    ranks = retrieval.rank(VOICES[:1], FACES[:1])
    assert ranks.expected.tolist() == [1]
    with pytest.raises(ValueError, match="two people"):
        retrieval.summary(ranks)


def test_lineups_of_one_are_refused():
    with pytest.raises(ValueError, match="at least two faces"):
        retrieval.rank(VOICES, FACES).match(1)
