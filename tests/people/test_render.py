"""Pictures: deterministic, landmarks true, causes visible, clear errors."""

import numpy as np
import pytest

from s2f_lib import people
from s2f_lib.people import scene

POPULATION = people.sample(16, seed=13)
PERSON = POPULATION[0]


def test_the_same_call_gives_the_same_bytes():
    assert np.array_equal(people.render_canonical(PERSON, 64), people.render_canonical(PERSON, 64))
    first = people.render_wild(PERSON, 3, 64)
    people.render_wild(POPULATION[1], 3, 64)
    assert np.array_equal(first, people.render_wild(PERSON, 3, 64))
    assert first.shape == (64, 64, 3)
    assert first.dtype == np.uint8


def test_items_and_people_differ():
    a, b = people.render_wild(PERSON, 0, 64), people.render_wild(PERSON, 1, 64)
    c = people.render_wild(POPULATION[1], 0, 64)
    assert np.abs(a.astype(int) - b).mean() > 10
    assert np.abs(a.astype(int) - c).mean() > 10


def test_faces_are_the_same_in_every_world():
    other = people.sample(16, world="null", seed=13)[0]
    assert np.array_equal(people.render_canonical(PERSON, 64), people.render_canonical(other, 64))
    assert np.array_equal(people.render_wild(PERSON, 2, 64), people.render_wild(other, 2, 64))


def test_canonical_landmarks_are_the_projected_head():
    _, flat = people.render_canonical(PERSON, 128, return_landmarks=True)
    head = people.landmarks(PERSON)["points"] / 100 - [0, -0.35, -0.55]  # decimetres from the pivot of the head
    depth = 9.2 - head[:, 2]
    expected = np.stack([64 + 3.55 * 128 * head[:, 0] / depth, 64 - 3.55 * 128 * (head[:, 1] - 0.22) / depth], 1)
    assert np.abs(flat - expected).max() < 0.01


def test_landmarks_scale_with_the_picture_and_stay_inside():
    small, large = (people.render_wild(PERSON, 5, s, return_landmarks=True)[1] for s in (64, 128))
    assert np.allclose(small * 2, large, atol=0.02)
    for item in range(6):
        points = people.render_wild(PERSON, item, 64, return_landmarks=True)[1]
        assert points.shape == (68, 2)
        assert (points > -3).all()
        assert (points < 67).all()


def test_pixels_agree_with_the_landmarks():
    """The lips of the picture are redder than the cheeks beside them, so landmarks and pixels belong together."""
    redder = 0
    for person in POPULATION:
        image, points = people.render_canonical(person, 128, return_landmarks=True)
        at = lambda p: image[int(p[1]), int(p[0])].astype(float)  # noqa: B023, E731
        lip, cheek = at(points[[51, 62]].mean(0)), at(0.5 * (points[48] + points[3]))
        redder += lip[0] / lip[1] > cheek[0] / cheek[1]
    assert redder >= 12


def test_canonical_backdrop_and_shoulders():
    image = people.render_canonical(next(p for p in POPULATION if p.sex == "male"), 64)
    assert np.abs(image[0, 0] - np.array([0.52, 0.54, 0.56]) * 255).max() <= 1


def test_one_cause_shows_and_the_rest_stays():
    reference = people.render_canonical(PERSON, 96).astype(int)
    for change in ({"age": 80}, {"jaw": 2.5}, {"melanin": 0.9}, {"group": "D"}):
        changed = people.render_canonical(people.vary(PERSON, **change), 96)
        assert np.abs(changed - reference).mean() > 0.5, change
    assert np.array_equal(people.render_canonical(people.vary(PERSON), 96), reference)
    assert np.array_equal(people.render_canonical(people.vary(PERSON, vtl=19.0), 96), reference)  # voice only


def test_batches_are_the_single_pictures_in_order():
    pictures, points = people.render_many(POPULATION[:3], [1, 4], 32, workers=1, return_landmarks=True)
    assert pictures.shape == (3, 2, 32, 32, 3)
    image, flat = people.render_wild(POPULATION[2], 4, 32, return_landmarks=True)
    assert np.array_equal(pictures[2, 1], image)
    assert np.array_equal(points[2, 1], flat)
    canonical = people.render_many(POPULATION[:3], size=32, kind="canonical", workers=1)
    assert np.array_equal(canonical[1, 0], people.render_canonical(POPULATION[1], 32))


@pytest.mark.slow
def test_processes_change_nothing():
    assert np.array_equal(
        people.render_many(POPULATION, [0], 32, workers=2), people.render_many(POPULATION, [0], 32, workers=1)
    )


def test_chunks_are_bounded():
    sizes = [len(chunk) for chunk in people.iterate_pictures(people.sample(11, seed=1), size=16, workers=1)]
    assert sizes == [8, 3]


@pytest.mark.parametrize("size", [0, 8, 5000, 64.0, "64", True])
def test_impossible_size(size):
    with pytest.raises(ValueError, match="whole number of pixels from 16 to 1024"):
        people.render_canonical(PERSON, size)


def test_other_bad_input():
    for item in (-1, True, "a"):
        with pytest.raises(ValueError, match=f"item is {item!r}; .* 0 or more"):
            people.render_wild(PERSON, item, 64)
    for restyle in (2.0, "often"):
        with pytest.raises(ValueError, match=f"restyle is {restyle!r}; wanted a chance from 0 to 1"):
            people.render_wild(PERSON, 0, 64, restyle=restyle)
    with pytest.raises(ValueError, match="items is 3; wanted the numbers"):
        people.render_many(POPULATION, items=3)
    with pytest.raises(ValueError, match="'wild' or 'canonical'"):
        people.render_many(POPULATION, kind="tame")
    with pytest.raises(ValueError, match="items is empty"):
        people.render_many(POPULATION, items=[])
    with pytest.raises(ValueError, match="unknown attribute"):
        people.vary(PERSON, chin=1)


def test_a_head_turned_right_shows_its_nose_right():
    nose = lambda yaw: (scene.rotation(yaw, 0, 0) @ [0.0, 0.0, 1.0])[0]  # noqa: E731
    assert nose(30) == pytest.approx(0.5)
    assert nose(-30) == pytest.approx(-0.5)


def test_a_real_face_detector_finds_them():
    dlib = pytest.importorskip("dlib")
    detector = dlib.get_frontal_face_detector()
    found = sum(len(detector(people.render_wild(p, 0, 128), 1)) > 0 for p in POPULATION)
    assert found >= 14, f"HOG found {found} of 16 wild pictures"
