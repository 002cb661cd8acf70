"""The population: reproducible, balanced by quotas, with the stated distributions, and honest about bad input."""

import numpy as np
import pytest

from s2f_lib.people.causes import FACE_SCORES, LANGUAGES, VOICE_PARAMETERS
from s2f_lib.people.population import sample
from s2f_lib.people.worlds import World

BLOCK = 56  # 2 sexes x 7 age bands x 4 groups


def same(a, b) -> bool:
    columns = [a.face[k] for k in a.face] + [a.voice[k] for k in a.voice]
    others = [b.face[k] for k in a.face] + [b.voice[k] for k in a.voice]
    return all(map(np.array_equal, columns, others)) and np.array_equal(a.language, b.language)


def test_the_same_seed_gives_the_same_people_and_another_seed_others():
    assert same(sample(100, seed=3), sample(100, seed=3))
    assert not np.intersect1d(sample(100, seed=3).face["jaw"], sample(100, seed=4).face["jaw"]).size


def test_drawing_more_people_does_not_change_the_first_ones():
    few, many = sample(61, "confounded", 5), sample(500, "confounded", 5)
    assert same(few, many[:61])
    assert few[60] == many[60]


@pytest.mark.parametrize("seed", [0, 1000, 4000])
def test_cells_of_sex_age_and_group_are_exactly_equal(seed):
    people = sample(6 * BLOCK, seed=seed)
    band = ((people.age - 18) / (67 / 7)).astype(int)
    cell = np.char.add(np.char.add(people.sex, people.group), band.astype(str))
    _, counts = np.unique(cell, return_counts=True)
    assert len(counts) == BLOCK
    assert set(counts) == {6}


def test_any_even_number_of_people_has_as_many_women_as_men():
    for n in (2, 10, 30, 58):
        assert (sample(n, seed=1).sex == "female").sum() == n // 2


@pytest.mark.parametrize("world", ["physiology", "null"])
@pytest.mark.parametrize("margin", ["sex", "group"])
def test_languages_are_balanced_over_margins(world, margin):
    people = sample(2016, world, seed=0)
    for value in np.unique(getattr(people, margin)):
        here = people.language[getattr(people, margin) == value]
        counts = np.array([(here == language).sum() for language in LANGUAGES])
        assert np.abs(counts - len(here) / 8).max() <= 0.1 * len(here) / 8  # independent draws would scatter by 18 %


def test_nine_in_ten_speak_a_home_language_in_the_confounded_world():
    people = sample(2016, "confounded", seed=0)
    table = people.table()
    home = {"A": ["en", "de"], "B": ["es", "fr"], "C": ["zh", "hi"], "D": ["sw", "tr"]}
    share = [table[table.group == g].language.isin(home[g]).mean() for g in "ABCD"]
    assert np.allclose(share, 0.9, atol=0.02)


def test_face_scores_are_standard_normal_within_sex():
    people = sample(80 * BLOCK, seed=2)
    for sex in ("female", "male"):
        for name in FACE_SCORES:
            scores = people.face[name][people.sex == sex]
            assert abs(scores.mean()) < 0.09, (sex, name)
            assert abs(scores.std() - 1) < 0.06, (sex, name)


def test_bodies_and_voices_are_of_human_size():
    people = sample(40 * BLOCK, seed=2)
    men, women = people.sex == "male", people.sex == "female"
    expected = {"vtl": (17.0, 14.7, 0.1), "f0": (121, 204, 3)}  # cm, Hz: men, women, tolerance
    for name, (of_men, of_women, tolerance) in expected.items():
        assert abs(people.voice[name][men].mean() - of_men) < tolerance
        assert abs(people.voice[name][women].mean() - of_women) < tolerance
    height = people.face["height_cm"]
    assert abs(height[men].mean() - height[women].mean() - 12.9) < 0.6  # adults differ by about 13 cm
    r = np.corrcoef(height[men], people.voice["vtl"][men])[0, 1]
    assert 0.3 < r < 0.5  # within a sex, size tells little about the tract


def test_an_intervention_moves_what_is_downstream_and_nothing_else():
    person = sample(30, seed=1)[29]
    changed = person.intervene(jaw=person.jaw + 2)
    moved = {k for k in VOICE_PARAMETERS if changed.voice[k] != person.voice[k]}
    assert moved == {"vtl", "s1", "sib"}
    assert changed.lower_face == person.lower_face
    assert changed.language == person.language
    assert np.isclose(np.log(changed.voice["s1"] / person.voice["s1"]), 2 * -0.008)
    older = changed.intervene(age=84)
    assert older.jaw == changed.jaw
    assert older.height_cm < person.height_cm
    assert person.intervene() == person


def test_the_table_has_one_row_per_person_and_every_column():
    table = sample(20, seed=1).table()
    assert len(table) == 20
    assert table.id.is_unique
    assert {"sex", "age", "group", "language", "melanin", *FACE_SCORES} <= set(table.columns)
    assert {f"voice_{name}" for name in VOICE_PARAMETERS} <= set(table.columns)
    assert np.allclose(table.filter(like="ancestry_").sum(axis=1), 1)


def test_parts_of_a_population_are_the_same_people():
    people = sample(50, seed=1)
    women = people[people.sex == "female"]
    assert len(women) == 25
    assert women[3] == people[int(np.flatnonzero(people.sex == "female")[3])]
    assert [p.id for p in people[10:13]] == [10, 11, 12]
    with pytest.raises(IndexError, match="population of 50"):
        people[50]


@pytest.mark.parametrize("n", [0, -3, 2.5, True, "3", None, [3]])
def test_an_impossible_number_of_people_is_refused(n):
    with pytest.raises(ValueError, match="at least 1"):
        sample(n)


def test_unknown_worlds_and_impossible_attributes_are_refused():
    with pytest.raises(ValueError, match="known worlds: physiology"):
        sample(3, "psychology")
    for world in (["null"], 5, None, {"null": 1}):
        with pytest.raises(ValueError, match=r"world is .*; wanted one name .*known worlds: physiology"):
            sample(3, world)
    for seed in (-1, True, "0"):
        with pytest.raises(ValueError, match=f"seed is {seed!r}; wanted a whole number, 0 or more"):
            sample(3, seed=seed)
    with pytest.raises(ValueError, match="individual is 9"):
        sample(3, World("mine", 9, 1, 0.25, 0, "too strong"))
    with pytest.raises(ValueError, match="style is 'much', wanted 0"):
        sample(3, World("mine", 1, 1, 0.25, "much", "a word for a number"))
    with pytest.raises(ValueError, match="home_language is None, wanted a probability"):
        sample(3, World("mine", 1, 1, None, 0, "nothing for a number"))
    person = sample(1)[0]
    for change, message in [
        ({"age": 130}, "age is 130; wanted a number of years from 18 to 85"),
        ({"age": "40"}, "age is '40'; wanted a number of years"),
        ({"age": None}, "age is None; wanted a number of years"),
        ({"age": [30, 40]}, "for example age=40"),
        ({"age": True}, "age is True; wanted a number"),
        ({"age": float("nan")}, "age is nan; wanted a number"),
        ({"sex": 1}, "sex is 1; wanted a text, for example sex='male'"),
        ({"group": ["A", "B"]}, "wanted a text, for example group='A'"),
        ({"language": None}, "language is None; wanted a text"),
        ({"style": "yes"}, "style is 'yes'; wanted 0 or 1"),
        ({"style": [1]}, "wanted 0 or 1"),
        ({"jaw": True}, "jaw is True; wanted a number"),
        ({"world": ["null"]}, "wanted one name or a World of your own"),
        ({"sex": "other"}, "known: male, female"),
        ({"language": "xx"}, "known: en, de"),
        ({"group": "E"}, "unknown group 'E'; known: A, B, C, D"),
        ({"style": 2}, "style is 2; wanted 0 or 1"),
        ({"world": "psychology"}, "known worlds: physiology"),
        ({"jaw": 40}, "from -6 to 6"),
        ({"jaw": "big"}, "jaw is 'big'; wanted a number from -6 to 6"),
        ({"melanin": float("nan")}, "from 0 to 1"),
        ({"vtl": 3}, "from 12 to 21.5"),
        ({"chin": 1}, "unknown attribute 'chin'"),
    ]:
        with pytest.raises(ValueError, match=message):
            person.intervene(**change)
