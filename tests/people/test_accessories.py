"""Hats, glasses and occluders: off by default, where they belong, the same every time, and clear errors."""

from dataclasses import replace

import numpy as np
import pytest

from s2f_lib import people
from s2f_lib.people import accessories, render
from s2f_lib.people.head import coefficients, head_model
from s2f_lib.people.look import appearance
from s2f_lib.people.scene import canonical_scene, rotation

POPULATION = people.sample(24, seed=13)
BARE = [person for person in POPULATION if appearance(person).glasses == 0]


def drawn(person, wear, size=96, turn=None, hair=None):
    """Linear RGB and coverage (size, size, 4) before blur, noise and JPEG, and the 68 landmarks."""
    look = appearance(person)
    look = replace(look, hair_style=hair) if hair else look
    scene = canonical_scene() if turn is None else replace(canonical_scene(), rotation=rotation(*turn))
    names = accessories.check(wear)
    put_on = (lambda *place: accessories.put_on(names, person, 0, *place)) if names else None
    image, screen = render._draw(head_model().vertices(coefficients(person)), look, scene, size, put_on)
    return image.copy(), screen[head_model().lm68, :2]


def changed(person, wear, **options):
    """Where a thing changes the picture, and the landmarks."""
    with_it, points = drawn(person, wear, **options)
    return np.abs(with_it - drawn(person, None, **options)[0]).max(axis=2) > 1e-6, points


def test_nothing_is_worn_unless_asked_for():
    for item in range(4):
        bare = people.render_wild(POPULATION[1], item, 64)
        assert np.array_equal(bare, people.render_wild(POPULATION[1], item, 64, wear=None))
        assert np.array_equal(bare, people.render_wild(POPULATION[1], item, 64, wear=()))


@pytest.mark.parametrize("name", accessories.ACCESSORIES)
def test_a_thing_is_seen_the_same_every_time_and_moves_no_landmark(name):
    bare, truth = people.render_wild(BARE[0], 2, 64, return_landmarks=True)
    first, points = people.render_wild(BARE[0], 2, 64, return_landmarks=True, wear=name)
    people.render_wild(BARE[1], 3, 64, wear=name)
    assert np.array_equal(first, people.render_wild(BARE[0], 2, 64, wear=[name]))
    assert np.array_equal(points, truth)
    assert np.abs(first.astype(int) - bare).max() > 40


def test_accessories_differ_between_people_and_pictures():
    def colour(person, item):
        worn = accessories.put_on(
            ("woollen_hat",), person, item, head_model().vertices(coefficients(person)), np.eye(3), 0
        )
        return worn.solid.colour.mean(axis=0)

    found = [colour(person, item) for person in POPULATION[:2] for item in range(2)]
    assert all(np.abs(a - b).max() > 1e-3 for i, a in enumerate(found) for b in found[:i])


def test_hats_are_above_the_eyes_and_covers_below_them():
    """Rows that change: a hat and its shadow end above the mouth, a mask begins below the brows."""
    for person in BARE[:6]:
        rows = {}
        for name in ("cap", "woollen_hat", "mask", "scarf", "microphone"):
            where, points = changed(person, name)
            between = where[:, int(points[36, 0]) : int(points[45, 0])]  # loops of a mask go up at the sides
            rows[name] = np.flatnonzero(between.any(axis=1)), points[:, 1]
        for hat in ("cap", "woollen_hat"):
            (top, *_), y = rows[hat]
            assert top < y[19:25].min() - 10  # well above the brows
            hidden = np.abs(drawn(person, hat)[0] - drawn(person, None)[0])[..., :3].max(axis=2) > 0.2
            eyes = drawn(person, None)[1][36:48].round().astype(int)
            assert not hidden[eyes[:, 1], eyes[:, 0]].all()
        assert rows["mask"][0].min() > rows["mask"][1][17:27].mean()
        assert rows["mask"][0].max() > rows["mask"][1][8] - 6  # over the chin
        assert rows["scarf"][0].min() > rows["scarf"][1][29]
        assert rows["microphone"][0].min() > rows["microphone"][1][29]


def test_only_pixels_of_the_thing_and_its_shadow_differ():
    for person in BARE[:4]:
        where, points = changed(person, "glasses")
        rows = np.flatnonzero(where.any(axis=1))
        spread = points[45, 0] - points[36, 0]
        assert points[27:36, 1].max() > rows.max() - 0.35 * spread
        assert rows.min() > points[17:27, 1].min() - 0.5 * spread
        assert not where[: int(points[17:27, 1].min() - 0.5 * spread)].any()
        mouth = slice(int(points[48:, 1].min()), int(points[48:, 1].max()))
        assert not where[mouth, int(points[48, 0]) : int(points[54, 0])].any()


def test_eyes_are_seen_through_clear_glasses_and_hardly_through_dark_ones():
    for person in BARE[:8]:
        bare, points = drawn(person, None, size=192)
        x, y = points[36:42].mean(axis=0)
        here = np.s_[int(y) - 2 : int(y) + 3, int(x) - 4 : int(x) + 5, :3]
        through, dim = drawn(person, "glasses", size=192)[0][here], drawn(person, "sunglasses", size=192)[0][here]
        pattern = np.corrcoef(through.ravel(), bare[here].ravel())[0, 1]
        assert pattern > 0.9
        assert 0.7 < through.mean() / bare[here].mean() < 1.4
        assert dim.std() < 0.5 * bare[here].std()


def test_accessories_turn_with_the_head():
    """The middle of the glasses' pixels follows the bridge of the nose."""
    for yaw in (-30, 0, 30):
        where, points = changed(BARE[2], "sunglasses", turn=(yaw, 0, 0))
        lenses = np.flatnonzero(where[int(points[36:48, 1].mean())])
        assert lenses.min() - 4 < points[36:48, 0].min()
        assert abs(np.median(lenses) - points[36:48, 0].mean()) < 12


def test_hair_goes_under_a_hat():
    """An afro is pressed under a woollen hat: the silhouette above the brows gets smaller."""
    for person in POPULATION[:3]:
        bare, points = drawn(person, None, hair="afro")
        worn = drawn(person, "woollen_hat", hair="afro")[0]
        above = slice(0, int(points[17:27, 1].min()) - 12)
        assert worn[above, :, 3].sum() < 0.85 * bare[above, :, 3].sum()


def test_a_hat_holds_every_skull():
    """No point of the skull above the rim is outside the hat."""
    from s2f_lib.people.accessories import hats

    for person in POPULATION:
        vertices = head_model().vertices(coefficients(person)).astype(float)
        seat = hats.crown(vertices, 0.45, 0.0)
        local = (vertices[hats._skull()] - seat.origin) @ seat.axes.T
        local = local[local[:, 1] > 0.02]
        length = np.linalg.norm(local, axis=1)
        limit = seat.reach(np.arctan2(local[:, 0], local[:, 2]), np.arcsin(local[:, 1] / length))
        assert (length - limit).max() < 0.06, person.id  # decimetres; hats lie 0.07 and more above this surface


def test_accessories_may_be_combined_and_drawn_for_each_picture():
    both = accessories.of_picture(POPULATION[0], 0, ("sunglasses", "cap"))
    assert both == ("cap", "sunglasses")
    drawn_ones = [
        accessories.of_picture(person, item, "any") for person in people.sample(200, seed=1) for item in range(5)
    ]
    assert drawn_ones[:5] == [accessories.of_picture(people.sample(1, seed=1)[0], item, "any") for item in range(5)]
    for kind, share in zip(accessories.KINDS, accessories.SHARES, strict=True):
        counts = [sum(name in worn for worn in drawn_ones) for name in kind]
        assert abs(sum(counts) / 1000 - share) < 0.05
        assert min(counts) > 0.7 * max(counts)


def test_batches_pass_the_things_on():
    pictures = people.render_many(POPULATION[:2], [1], 32, workers=1, wear="mask")
    assert np.array_equal(pictures[1, 0], people.render_wild(POPULATION[1], 1, 32, wear="mask"))


@pytest.mark.parametrize(
    "wear, message",
    [
        ("sombrero", "unknown accessory 'sombrero'; known: cap, woollen_hat, glasses, sunglasses"),
        (["cap", "woollen_hat"], "cap and woollen_hat cannot be worn at once; take one of cap, woollen_hat"),
        (("any", "cap"), "'any' stands alone"),
        (5, "unknown accessory 5"),
        (True, "unknown accessory True"),
        ([None], "unknown accessory None"),
    ],
)
def test_wrong_things_get_clear_answers(wear, message):
    with pytest.raises(ValueError, match=message):
        people.render_wild(POPULATION[0], 0, 32, wear=wear)
    with pytest.raises(ValueError, match=message):
        people.render_many(POPULATION[:1], size=32, workers=1, wear=wear)


def test_canonical_pictures_are_bare():
    with pytest.raises(ValueError, match="canonical pictures show bare faces"):
        people.render_many(POPULATION[:1], size=32, kind="canonical", workers=1, wear="cap")


def test_a_real_face_detector_finds_faces_with_hats_and_glasses():
    dlib = pytest.importorskip("dlib")
    detector = dlib.get_frontal_face_detector()
    for name, least in (("cap", 16), ("woollen_hat", 18), ("glasses", 20), ("sunglasses", 16)):
        found = sum(len(detector(people.render_wild(p, 0, 128, wear=name), 1)) > 0 for p in POPULATION)
        assert found >= least, f"{name}: HOG found {found} of 24"
