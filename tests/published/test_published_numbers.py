"""The published tables and what follows from them; numbers worked out by others are in the comments."""

import numpy as np
import pytest

from s2f_lib.published import comparisons, paper
from s2f_lib.published.pictures import Pictures


def test_agreement_and_constant_predictors_follow_from_the_matrices():
    rows = {row["attribute"]: row for row in paper.table()}
    assert rows["gender"]["s2f"] == pytest.approx(0.940, abs=5e-4)
    assert rows["gender"]["f2f"] == pytest.approx(0.946, abs=5e-4)
    assert rows["gender"]["constant"] == pytest.approx(0.626, abs=5e-4)
    assert rows["ethnicity"]["s2f"] == pytest.approx(0.476, abs=5e-4)
    assert rows["ethnicity"]["s2f"] < rows["ethnicity"]["constant"] == pytest.approx(0.502, abs=5e-4)
    assert rows["ethnicity"]["s2f_balanced"] == pytest.approx(0.338, abs=1e-3)
    assert rows["age_same_decade"]["s2f"] == pytest.approx(0.286, abs=5e-4)
    assert rows["age_same_decade"]["s2f"] < rows["age_same_decade"]["constant"] == pytest.approx(0.294, abs=5e-4)
    assert rows["age_within_one"]["s2f"] == pytest.approx(0.713, abs=5e-4)
    assert rows["age_within_one"]["f2f"] == pytest.approx(0.896, abs=5e-4)
    assert rows["age_within_one"]["constant"] == pytest.approx(0.757, abs=5e-4)
    assert rows["age_within_one"]["constant_answer"] == "30"


def test_the_hundred_true_ranks_say_what_r_at_k_means():
    assert len(paper.TRUE_RANKS) == 100
    assert min(paper.TRUE_RANKS) == 2
    assert max(paper.TRUE_RANKS) == 4849
    assert np.median(paper.TRUE_RANKS) == 550
    assert [paper.in_gallery(paper.TRUE_RANKS).recall(k) for k in (1, 2, 5, 10)] == [0, 0.01, 0.01, 0.02]
    assert [paper.in_gallery(paper.TRUE_RANKS).top_percent(k) for k in (1, 2, 5, 10)] == [0.1, 0.13, 0.31, 0.46]
    of_100 = [paper.recall_in_smaller_gallery(paper.TRUE_RANKS, k) for k in (1, 2, 5, 10)]
    assert of_100 == pytest.approx([0.086, 0.144, 0.301, 0.473], abs=6e-4)


def test_recall_in_a_smaller_gallery_is_what_drawing_gives():
    rng = np.random.default_rng(0)
    rank, gallery, size, k = 40, 300, 30, 3
    draws = [1 + (rng.choice(gallery - 1, size - 1, replace=False) < rank - 1).sum() for _ in range(20_000)]
    expected = np.mean(np.array(draws) <= k)
    assert paper.recall_in_smaller_gallery(np.array([rank]), k, size, gallery) == pytest.approx(expected, abs=0.015)


def test_a_wrong_matrix_is_refused():
    with pytest.raises(ValueError, match=r"\(3, 3\), wanted 2 x 2: female, male"):
        paper.agreement(np.eye(3), paper.GENDER_COUNTS)
    with pytest.raises(ValueError, match="divide counts"):
        paper.agreement(10 * np.eye(2), paper.GENDER_COUNTS)


def made_up_pictures(n=200, seed=0, shift=0.0, found=None):
    rng = np.random.default_rng(seed)
    status = np.where(np.ones(n, bool) if found is None else found, "ok", "no_face")
    landmarks = rng.normal(100, 20, (n, 68, 2)) + shift
    return Pictures(status, landmarks, rng.standard_normal((n, 128)), rng.random(n), rng.uniform(18, 70, n))


def test_craniofacial_table_finds_equal_faces_equal_and_strangers_not():
    faces = made_up_pictures()
    same = comparisons.shape_table(faces, faces)
    assert len(same) == 13
    assert same["pooled"].to_numpy() == pytest.approx(1)
    other = comparisons.shape_table(made_up_pictures(seed=1), faces)
    assert other["pooled"].abs().max() < 0.3
    assert (other["holm_pooled"] > 0.01).all()


def test_pictures_without_a_face_are_left_out_and_counted():
    missing = np.arange(200) >= 20
    table = comparisons.shape_table(made_up_pictures(), made_up_pictures(found=missing))
    assert set(table["n"]) == {180}


def test_measures_and_published_values_have_the_same_names():
    from s2f_lib.metrics import face_measures

    assert {comparisons.key_of(name) for name in face_measures.MEASURES} == set(paper.CRANIOFACIAL)
    assert set(comparisons.INDICES) < set(face_measures.MEASURES)


def test_rank_histogram_sums_up_to_top_percent():
    found = comparisons.matching.ranks(np.eye(200) + np.random.default_rng(0).random((200, 200)), np.arange(200))
    curve = np.cumsum(comparisons.rank_histogram(found)) / 200
    assert curve[9] == pytest.approx(found.top_percent(10), abs=1e-9)


def test_centred_cosine_ignores_a_common_shift():
    a, b = np.random.default_rng(0).standard_normal((2, 50, 8))
    np.testing.assert_allclose(comparisons.centred_cosine(a, b), comparisons.centred_cosine(a + 100, b - 7), atol=1e-9)
