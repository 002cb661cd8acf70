"""Directions of the ethics experiments at small scale, with features made straight from who people are."""

import numpy as np
import pandas as pd
import pytest

from s2f_lib import io
from s2f_lib.evaluate import baselines
from s2f_lib.people import population
from s2f_lib.studies.ethics import effects, experiments, predictions

NAMES = ("skin", "hair", "nose", "jaw", "age", "male")


def attributes_of(table):
    """True attributes as columns of a "feature": what a perfect decoder and reader would give back."""
    skin, hair = -table["melanin"], -table["hair_darkness"]
    male = (table["sex"] == "male").astype(float)
    return pd.DataFrame(
        dict(zip(NAMES, (skin, hair, table["nose_width"], table["jaw"], table["age"], male), strict=True))
    )


def heard_in(world, n=900):
    train, test = population.sample(n, world, 21).table(), population.sample(600, world, 22).table()
    true = attributes_of(test)
    model = baselines.Oracle(components=6, boosted_components=0).fit(train, attributes_of(train).to_numpy())
    drawn = pd.DataFrame(model.predict(test), columns=NAMES)
    return effects.attribute_correlations(drawn, true, times=100), model, test


@pytest.fixture(scope="module")
def found():
    return {world: heard_in(world) for world in experiments.WORLDS}


def test_skin_and_hair_follow_the_language_only(found):
    for name in ("skin", "hair"):
        assert found["confounded"][0][name].low > 0.2
        assert found["confounded_only"][0][name].low > 0.2
        assert abs(found["physiology"][0][name].estimate) < 0.15


def test_age_and_sex_follow_the_body_only(found):
    assert found["physiology"][0]["age"].low > 0.5
    assert found["physiology"][0]["sex"].low > 0.95
    assert abs(found["confounded_only"][0]["age"].estimate) < 0.15


def test_jaw_follows_a_little_where_the_individual_arrow_exists(found):
    assert found["physiology"][0]["jaw"].low > 0.1
    assert abs(found["confounded_only"][0]["jaw"].estimate) < 0.15


def test_nothing_follows_in_the_null_world(found):
    for name, value in found["null"][0].items():
        centre = 0.5 if name == "sex" else 0.0
        assert abs(value.estimate - centre) < 0.15, name


@pytest.mark.parametrize(("world", "least", "most"), [("confounded", 0.4, 1.5), ("physiology", -0.15, 0.15)])
def test_switching_the_language_moves_the_skin_only_where_it_is_confounded(found, world, least, most):
    _, model, test = found[world]
    skin = [model.predict(test.assign(language=language))[:, 0] for language in experiments.SWITCH]
    true = attributes_of(test)["skin"]
    group_gap = true[test["group"] == "D"].mean() - true[test["group"] == "A"].mean()
    effect = effects.effect(*skin, group_gap)
    assert least < effect.estimate < most


def test_a_face_that_never_changes_follows_nothing():
    test = population.sample(200, seed=3).table()
    true = attributes_of(test)
    flat = true.copy()
    flat[list(NAMES)] = [0.5, 0.5, 0.5, 0.5, 50.0, 1.0]
    result = effects.attribute_correlations(flat, true, times=20)
    assert result["skin"].estimate == 0
    assert result["sex"].estimate == pytest.approx(0.5)


def test_interval_of_a_partial_correlation_is_that_of_the_full_bootstrap():
    from s2f_lib import metrics

    rng = np.random.default_rng(4)
    z = rng.normal(size=(250, 2))
    x = z @ [1, 1] + rng.normal(size=250)
    y = z @ [1, -1] + 0.5 * x + rng.normal(size=250)
    fast = effects.partial_r(x, y, z, times=400)
    full = metrics.inference.bootstrap(lambda *v: metrics.craniofacial.pearson(*v)[0], x, y, z, times=400)
    assert fast.estimate == full.estimate
    assert fast.low == pytest.approx(full.low, abs=0.02)
    assert fast.high == pytest.approx(full.high, abs=0.02)


def test_thinning_leaves_the_share_asked_for_and_balancing_restores_the_weight():
    groups = np.repeat(list("ABCD"), 100)
    thin = effects.subsample(groups, "D", 0.05)
    assert (groups[thin] == "D").mean() == pytest.approx(0.05, abs=0.005)
    assert (groups[effects.subsample(groups, "D", 0.0)] == "D").sum() == 0
    balanced = effects.subsample(groups, "D", 0.05, repair=True)
    assert (groups[balanced] == "D").sum() == 100
    assert len(np.unique(balanced)) == len(thin)
    with pytest.raises(ValueError, match="nobody"):
        effects.subsample(groups, "Q", 0.05)


def test_a_switch_between_equal_groups_is_refused():
    with pytest.raises(ValueError, match="do not differ"):
        effects.effect(np.zeros(3), np.ones(3), 0.0)


def test_statistics_of_a_tone_hold_its_pitch():
    t = np.arange(32_000) / 16_000
    for pitch in (100, 160, 230):
        tone = sum(np.sin(2 * np.pi * pitch * k * t) / k for k in range(1, 15))
        median, spread = baselines.acoustic_features(0.05 * tone[None].astype(np.float32))[0, -2:]
        assert 2**median == pytest.approx(pitch, rel=0.03)
        assert spread < 0.05


def test_statistics_do_not_depend_on_the_level():
    x = np.random.default_rng(0).normal(size=(1, 32_000)).astype(np.float32) * 0.1
    np.testing.assert_allclose(baselines.acoustic_features(x), baselines.acoustic_features(0.5 * x), atol=2e-3)


def test_the_light_listener_learns_what_is_there():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(400, 30))
    y = x[:, :3] @ rng.normal(size=(3, 40)) + 5
    model = baselines.RidgeBaseline(components=5).fit(x[:300], y[:300])
    np.testing.assert_allclose(model.predict(x[300:]), y[300:], atol=0.3)


def test_bad_clips_are_named():
    with pytest.raises(ValueError, match="too short"):
        baselines.acoustic_features(np.zeros((1, 100), np.float32))
    with pytest.raises(ValueError, match="NaN"):
        baselines.acoustic_features(np.full((1, 32_000), np.nan))
    with pytest.raises(ValueError, match="not been fitted"):
        baselines.RidgeBaseline().predict(np.zeros((1, 3)))


def test_every_prediction_can_fail():
    """A prediction that is true of any numbers predicts nothing."""
    rows = io.read_record("ethics").rows
    same = [[row | {"value": x, "low": x, "high": x} for row in rows] for x in (-1.0, 0.0, 0.07, 0.55, 0.95)]
    verdicts = [predictions.check(io.Record(rows)) for rows in same]
    for p in predictions.PREDICTIONS:
        assert not all(v[p.key] for v in verdicts), p.key
