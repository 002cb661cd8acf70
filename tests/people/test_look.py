"""Skin, hair, eyes and what changes from picture to picture."""

import numpy as np
import pytest

from s2f_lib import people
from s2f_lib.people import look

POPULATION = people.sample(112, seed=12)
LOOKS = [look.appearance(p) for p in POPULATION]


def test_colours_are_colours():
    for a in LOOKS:
        for colour in (a.skin, a.hair, a.brow, a.beard_colour, a.iris, a.lipstick):
            assert np.all(np.asarray(colour) >= 0)
            assert np.all(np.asarray(colour) <= 1)


def test_linear_rgb_is_the_srgb_curve():
    assert look.linear_rgb([0, 255, 188]) == pytest.approx([0, 1, 0.5029], abs=1e-3)  # 188 is the mid grey of light


def test_more_melanin_is_darker_skin():
    steps = [people.vary(POPULATION[0], melanin=m) for m in (0.1, 0.3, 0.5, 0.7, 0.9)]
    light = [look.appearance(p).skin.sum() for p in steps]
    assert np.all(np.diff(light) < 0)


def test_darker_hair_score_is_darker_hair():
    person = next(p for p in POPULATION if p.group == "A" and p.age < 40)
    light = [look.appearance(people.vary(person, hair_darkness=z)).hair.sum() for z in (-2.0, -1.0, 0.0, 1.0)]
    assert np.all(np.diff(light) < 0)


def test_women_have_no_beard_and_no_receding_hairline():
    for person, a in zip(POPULATION, LOOKS, strict=True):
        if person.sex == "female":
            assert a.beard == "none"
            assert a.params["beard_shadow"] == a.params["receding"] == 0


def test_age_brings_wrinkles_and_grey():
    young, old = (look.appearance(people.vary(POPULATION[2], age=a)) for a in (25, 80))
    assert old.params["w_crow"] > young.params["w_crow"] + 0.3
    assert abs(old.hair - old.hair.mean()).max() < 0.15  # no strong hue is left
    assert old.params["spots"] > young.params["spots"] == 0


def test_there_and_back_is_the_same_look():
    person = POPULATION[4]
    changed = people.vary(person, sex="male" if person.sex == "female" else "female")
    back = look.appearance(people.vary(changed, sex=person.sex))
    assert back.hair_style == LOOKS[4].hair_style
    assert np.array_equal(back.moles, LOOKS[4].moles)
    assert look.appearance(changed).params["oiliness"] == LOOKS[4].params["oiliness"]  # chance stays


def test_members_of_the_subculture_wear_glasses():
    worn = np.array([a.glasses > 0 for a in LOOKS])
    member = POPULATION.style == 1
    assert worn[member].all()
    assert worn[~member].mean() < 0.25


def test_a_picture_keeps_what_belongs_to_the_person():
    restyled = 0
    for person, usual in zip(POPULATION, LOOKS, strict=True):
        day = look.picture_appearance(person, usual, np.random.default_rng(person.id))
        assert day.skin is usual.skin
        assert day.iris is usual.iris
        assert day.beard == usual.beard
        restyled += day.hair_style != usual.hair_style
    assert 0 < restyled < 0.3 * len(POPULATION)


def test_every_style_of_the_tables_has_strands():
    from s2f_lib.people.head import asset

    drawn = {k[2:-2] for k in asset("look") if k.startswith("h_") and k.endswith("_p")} | {"none"}
    assert {s for table in look.STYLES.values() for s in table} <= drawn
