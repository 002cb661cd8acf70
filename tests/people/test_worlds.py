"""Worlds: the same faces everywhere, exact zeros where an arrow is off, the stated coefficients where it is on."""

import numpy as np
import pytest

from s2f_lib.people import worlds
from s2f_lib.people.causes import ARROWS, FACE_SCORES, NODES, ROOTS, VOICE_PARAMETERS
from s2f_lib.people.population import sample

PEOPLE = 2016
CHANGES = {"sex": "female", "age": 80.0, "jaw": 2.5, "nose": -2.0, "lip": 2.0, "stature": 2.0}
CHANGES |= {"androgen": -2.0, "neck": 2.0}


@pytest.fixture(scope="module")
def everywhere():
    return {name: sample(PEOPLE, name, seed=11) for name in worlds.WORLDS}


def test_faces_and_personal_noise_are_identical_in_every_world(everywhere):
    first = everywhere["physiology"]
    for people in everywhere.values():
        assert all(np.array_equal(people.face[name], first.face[name]) for name in first.face)
        assert np.array_equal(people.ancestry, first.ancestry)
        assert np.array_equal(people.eye_colour, first.eye_colour)
        assert np.array_equal(people.voice["idiolect"], first.voice["idiolect"])


@pytest.mark.parametrize("world", ["null", "confounded_only"])
def test_no_change_of_body_or_face_reaches_the_voice_where_arrows_are_off(world):
    for person in sample(4, world, seed=3):
        for name, value in CHANGES.items():
            assert person.intervene(**{name: value}).voice == person.voice


def test_in_the_demographic_world_only_sex_and_age_reach_the_voice():
    person = sample(3, "demographic", seed=3)[0].intervene(sex="male")
    reaching = {name for name, value in CHANGES.items() if person.intervene(**{name: value}).voice != person.voice}
    assert reaching == {"sex", "age"}


def test_confounded_only_differs_from_null_in_language_alone(everywhere):
    null, confounded = everywhere["null"], everywhere["confounded_only"]
    assert all(np.array_equal(null.voice[k], confounded.voice[k]) for k in null.voice)
    assert (null.language != confounded.language).mean() > 0.5


def columns(people) -> tuple[np.ndarray, np.ndarray]:
    face = [*people.face.values(), people.age, people.sex == "female", *(people.group == g for g in "ABC")]
    voice = [people.voice[k] for k in VOICE_PARAMETERS] + [people.language == x for x in np.unique(people.language)[1:]]
    return tuple(np.array([(c - np.mean(c)) / np.std(c) for c in table], float) for table in (face, voice))


def largest(face: np.ndarray, voice: np.ndarray) -> float:
    return np.abs(face @ voice.T).max() / face.shape[1]


def test_the_null_world_is_null_at_two_thousand_people(everywhere):
    """The largest of 800 correlations lies inside the distribution of the same maximum under shuffling."""
    rng, (face, voice) = np.random.default_rng(0), columns(everywhere["null"])
    shuffled = [largest(face, voice[:, rng.permutation(PEOPLE)]) for _ in range(200)]
    assert largest(face, voice) < np.quantile(shuffled, 0.99)
    face, voice = columns(everywhere["physiology"])
    assert largest(face, voice) > 5 * max(shuffled)


def test_skin_follows_language_in_the_confounded_worlds_only(everywhere):
    def explained(people):
        means = {x: people.face["melanin"][people.language == x].mean() for x in np.unique(people.language)}
        return np.corrcoef([means[x] for x in people.language], people.face["melanin"])[0, 1]

    assert explained(everywhere["confounded"]) > 0.65
    assert explained(everywhere["confounded_only"]) > 0.65
    assert explained(everywhere["physiology"]) < 0.1
    assert explained(everywhere["null"]) < 0.1


def test_the_coefficients_of_the_table_come_out_of_the_voices(everywhere):
    people = sample(6000, "physiology", seed=2)
    table = worlds.table("physiology").set_index(["cause", "effect"])["in physiology"]
    for parameter, causes in {"s1": ["jaw", "age"], "tilt": ["female", "age"]}.items():
        known = {"female": (people.sex == "female") - 0.5, "age": (people.age - 45) / 10, **people.face}
        design = np.column_stack([known[c] for c in causes] + [np.ones(len(people))])
        value = people.voice[parameter] if parameter == "tilt" else np.log(people.voice[parameter])
        fitted, residual = np.linalg.lstsq(design, value, rcond=None)[:2]
        error = np.sqrt(residual[0] / len(people) * np.diag(np.linalg.inv(design.T @ design)))
        for k, cause in enumerate(causes):  # tilt is clipped at both ends, which takes a few per cent off
            assert abs(fitted[k] - table[cause, parameter]) < 4 * error[k] + 0.1 * abs(table[cause, parameter])


def test_tract_length_varies_equally_within_sex_in_every_world(everywhere):
    sex = everywhere["null"].sex
    for people in everywhere.values():
        length = np.log(people.voice["vtl"])
        if people.world.sex_age:
            length = length - np.where(sex == "male", length[sex == "male"].mean(), length[sex == "female"].mean())
        assert abs(length.std() - 0.05) < 0.003


def test_the_subculture_speaks_differently_in_the_style_world_only(everywhere):
    for name, people in everywhere.items():
        member = people.style == 1
        rate = np.log(people.voice["rate"])
        gap = rate[member].mean() - rate[~member].mean()
        assert (gap > 0.1) == (name == "style")
        assert abs(member.mean() - 0.25) < 0.02


def test_the_table_of_arrows_is_complete_and_runs_forwards():
    seen = set(ROOTS)
    for node in NODES:
        assert all(a.cause in seen for a in ARROWS if a.effect == node.name), node.name
        seen.add(node.name)
    table = worlds.table("strong")
    assert len(table) == len(ARROWS) + 1
    assert (table.source.str.len() > 5).all()
    doubled = table[table.switch == "individual"]
    assert np.allclose(doubled["in strong"].astype(float), 2.5 * doubled.coefficient.astype(float), atol=1e-3)
    into_faces = [a for a in ARROWS if a.effect in FACE_SCORES]
    assert into_faces
    assert all(a.switch == "always" for a in into_faces)
    assert not any(a.cause == "group" and a.effect in VOICE_PARAMETERS for a in ARROWS)


def test_every_world_is_described():
    summary = worlds.summary()
    assert list(summary.index) == list(worlds.WORLDS)
    assert (summary.description.str.len() > 20).all()
    with pytest.raises(ValueError, match="known worlds"):
        worlds.table("nowhere")
