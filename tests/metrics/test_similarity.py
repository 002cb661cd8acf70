import numpy as np
import pytest

from s2f_lib.metrics import similarity

rng = np.random.default_rng(0)
A, B = rng.normal(size=(50, 16)), rng.normal(size=(50, 16))


def test_angle_is_that_of_scipy():
    from scipy.spatial.distance import cosine

    expected = [np.degrees(np.arccos(1 - cosine(a, b))) for a, b in zip(A, B, strict=True)]
    np.testing.assert_allclose(similarity.angle_deg(A, B), expected, atol=1e-6)


def test_tiny_angles_do_not_round_to_zero():
    a = np.array([[1.0, 0.0]])
    b = np.array([[1.0, 1e-9]])
    assert similarity.angle_deg(a, b)[0] == pytest.approx(np.degrees(1e-9), rel=1e-6)


def test_scaling_a_feature_changes_nothing():
    d, scaled = similarity.distances(A, B), similarity.distances(7 * A, 0.1 * B)
    for name in d:
        np.testing.assert_allclose(d[name], scaled[name], rtol=1e-6)


def test_l1_and_l2_of_orthogonal_units():
    d = similarity.distances(np.array([[2.0, 0.0]]), np.array([[0.0, 5.0]]))
    assert d["l2"][0] == pytest.approx(np.sqrt(2))
    assert d["l1"][0] == pytest.approx(2)


def test_the_papers_columns_cannot_be_of_unit_features():
    """45.75 degrees between unit vectors is an L2 of 0.777; the paper prints 0.18."""
    angle = np.radians(45.75)
    d = similarity.distances(np.array([[1.0, 0.0]]), np.array([[np.cos(angle), np.sin(angle)]]))
    assert d["l2"][0] == pytest.approx(0.777, abs=5e-4)


def test_mismatched_pairs_are_of_two_people():
    people = np.repeat(np.arange(10), 4)
    other = similarity.mismatched(40, seed=3, people=people)
    assert (people[other] != people).all()


def test_table_has_interval_around_the_mean_and_people_as_unit():
    people = np.repeat(np.arange(10), 5)
    a = np.repeat(A[:10], 5, axis=0)  # five copies of a clip carry no more information than one
    b = np.repeat(B[:10], 5, axis=0)
    copies = similarity.table({"x": a}, b, people).loc["x"]
    single = similarity.table({"x": A[:10]}, B[:10]).loc["x"]
    assert copies["low"] < copies["angle_deg"] < copies["high"]
    assert copies["high"] - copies["low"] == pytest.approx(single["high"] - single["low"], rel=1e-6)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (A, B[:10], "one row per clip"),
        (A[:, :4], B, "same dimension"),
        (np.where(A > 2, np.nan, A), B, "NaN or infinite"),
        (A[0], B[0], "shape"),
        (np.zeros((2, 3)), np.ones((2, 3)), "rows of zeros"),
        (np.zeros((0, 3)), np.zeros((0, 3)), "empty"),
    ],
)
def test_bad_features_say_what_is_wrong(a, b, message):
    with pytest.raises(ValueError, match=message):
        similarity.angle_deg(a, b)


def test_random_pairs_of_one_person_are_refused():
    with pytest.raises(ValueError, match="at least two people"):
        similarity.mismatched(3, people=np.zeros(3))
