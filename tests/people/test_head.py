"""The head in three dimensions: linear model, landmarks, and what each face score does in millimetres."""

import hashlib
import json
from importlib import resources

import numpy as np
import pytest

from benchmarks import anthropometry
from s2f_lib import people
from s2f_lib.people import head, sliders

POPULATION = people.sample(112, seed=11)
MIRRORED = [(j, 16 - j) for j in range(8)] + [(17 + j, 26 - j) for j in range(5)] + [(31, 35), (32, 34)]
MIRRORED += [(36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46), (48, 54), (49, 53), (50, 52), (60, 64)]
MIDDLE = [8, 27, 28, 29, 30, 33, 51, 57, 62, 66]


def distance(person, a, b):
    """Millimetres between two landmarks: numbers of the 68 points or names."""
    marks = people.landmarks(person)
    pick = lambda k: marks["points"][k] if isinstance(k, int) else marks[k]  # noqa: E731
    return float(np.linalg.norm(pick(a) - pick(b)))


MEASURES = {
    "face width": lambda p: distance(p, "zygion_l", "zygion_r"),
    "jaw width": lambda p: distance(p, "gonion_l", "gonion_r"),
    "lower face height": lambda p: distance(p, 33, 8),
    "nose height": lambda p: distance(p, 27, 33),
    "nose width": lambda p: distance(p, "alare_l", "alare_r"),
    "nose protrusion": lambda p: distance(p, 33, "pronasale"),
    "mouth width": lambda p: distance(p, 48, 54),
    "lip height": lambda p: distance(p, 51, 62) + distance(p, 66, 57),
    "eye opening": lambda p: distance(p, 37, 41) + distance(p, 44, 46),
}


@pytest.mark.parametrize(
    ("score", "measure", "least_mm"),
    [
        ("head", "face width", 3.0), ("jaw", "jaw width", 6.0), ("lower_face", "lower face height", 3.0),
        ("nose", "nose height", 2.0), ("nose", "nose protrusion", 1.5), ("nose_width", "nose width", 3.0),
        ("lip", "lip height", 2.0), ("mouth_width", "mouth width", 3.0), ("fat", "jaw width", 2.0),
        ("androgen", "jaw width", 2.0), ("eye_size", "eye opening", 1.0),
    ],
)  # fmt: skip
def test_a_face_score_drives_its_measure(score, measure, least_mm):
    moves = [
        MEASURES[measure](people.vary(person, **{score: 1.0})) - MEASURES[measure](people.vary(person, **{score: -1.0}))
        for person in POPULATION[:6]
    ]
    assert min(moves) > 0
    assert np.mean(moves) > least_mm


def test_scores_that_show_elsewhere_move_the_surface():
    person = POPULATION[0]
    model = head.head_model()
    for score in ("neck", "brow"):
        low, high = (model.vertices(head.coefficients(people.vary(person, **{score: z}))) for z in (-1.0, 1.0))
        assert np.abs(high - low).max() * 100 > 2, f"{score} moves no part of the head by 2 mm"


def test_group_means_go_the_way_of_the_literature():
    table = anthropometry.table(people.sample(224, seed=4))
    assert len(table) == len(anthropometry.DIRECTIONS)
    wrong = table[~table.agrees]
    assert wrong.empty, wrong.to_string()


def test_distances_are_those_of_the_landmarks():
    values = anthropometry.distances(POPULATION[:4])
    for i, person in enumerate(POPULATION[:4]):
        marks = people.landmarks(person)
        assert values["face width"][i] == pytest.approx(distance(person, "zygion_l", "zygion_r"), abs=1e-3)
        mouth = np.linalg.norm(marks["points"][48] - marks["points"][54])
        assert values["mouth width"][i] == pytest.approx(mouth, abs=1e-3)
        assert 110 < values["face width"][i] < 175


def test_landmarks_of_the_template_are_mirrored():
    model = head.head_model()
    points = model.template[model.lm68]
    for right, left in MIRRORED:
        assert np.allclose(points[right] * [-1, 1, 1], points[left], atol=1e-4), (right, left)
    assert np.abs(points[MIDDLE, 0]).max() < 0.01
    assert (points[:17, 0] < -0.01).sum() == 8, "points 0 to 7 are on the person's right, at negative x"
    for name in ("zygion", "gonion", "alare", "tragion"):
        right, left = (model.template[model.anatomical[f"{name}_{side}"]] for side in "rl")
        assert np.allclose(right * [-1, 1, 1], left, atol=1e-4), name


def test_landmarks_lie_in_anatomical_order():
    for person in POPULATION[:8]:
        marks = people.landmarks(person)
        y = {name: marks[name][1] for name in ("glabella", "nasion", "subnasale", "gnathion")}
        assert y["glabella"] > y["nasion"] > y["subnasale"] > marks["points"][57, 1] > y["gnathion"]
        assert marks["pronasale"][2] > marks["nasion"][2]
        assert (np.diff(marks["points"][3:14, 0]) > 0).all(), "the jaw line runs from the person's right to the left"
        assert (np.diff(marks["points"][:8, 1]) < 0).all(), "and down to the chin"


def test_vertices_are_base_plus_weighted_targets():
    model = head.head_model()
    c = np.zeros(len(model.column), np.float32)
    c[[3, 200]] = 0.5, -0.25
    by_hand = model.base + 0.5 * model.targets[3].reshape(-1, 3) - 0.25 * model.targets[200].reshape(-1, 3)
    by_hand -= 0.5 * (by_hand[model.eyes[0]].mean(0) + by_hand[model.eyes[1]].mean(0))
    assert np.allclose(model.vertices(c), by_hand, atol=1e-5)


def test_the_same_face_in_every_world():
    for world in ("confounded_only", "null", "strong"):
        other = people.sample(112, world=world, seed=11)
        assert np.array_equal(people.landmarks(other[5])["points"], people.landmarks(POPULATION[5])["points"])


def test_people_differ_and_nobody_is_a_caricature():
    shapes = np.array([people.landmarks(p)["points"].ravel() for p in POPULATION[:40]])
    apart = np.linalg.norm(shapes[:, None] - shapes[None], axis=2)[np.triu_indices(40, 1)]
    assert apart.min() > 10  # mm over 68 points
    for person in POPULATION:
        values = head.slider_values(person)
        assert all(abs(t) <= sliders.LIMIT for t in values.values())
        assert all(np.isfinite(t) for t in values.values())


def test_every_slider_of_the_tables_exists():
    known = set(head.head_model().slider)
    tables = [sliders.OWN_SD, sliders.BASE, sliders.AFRICAN, sliders.ASIAN, sliders.MASCULINE, sliders.OLD]
    tables += [*sliders.SCORE_SLIDERS.values(), *sliders.GROUP.values()]
    assert set().union(*tables) <= known
    assert set(sliders.SCORE_SLIDERS) <= set(POPULATION.face)


def test_an_expression_opens_the_mouth():
    model = head.head_model()
    neutral = model.vertices(head.coefficients(POPULATION[3]))
    gap = lambda v: np.linalg.norm(v[model.lm68[62]] - v[model.lm68[66]]) * 100  # noqa: E731
    assert gap(model.express(neutral, {"jawOpen": 0.5})) > gap(neutral) + 5
    assert np.allclose(model.express(neutral, {}), neutral, atol=1e-5)


def test_the_packaged_assets_are_the_ones_described():
    folder = resources.files("s2f_lib.people").joinpath("data")
    described = json.loads(folder.joinpath("heads.json").read_text())
    for name, entry in described["files"].items():
        data = folder.joinpath(name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == entry["sha256"], f"{name} changed; rebuild it and its description"
    assert sum(len(folder.joinpath(n).read_bytes()) for n in described["files"]) < 12e6
    assert described["licence"].startswith("CC0")
