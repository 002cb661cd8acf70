import numpy as np
import pytest

from s2f_lib import metrics
from s2f_lib.evaluate import baselines


@pytest.fixture(scope="module")
def fitted(crowd, features_of):
    train, _ = crowd
    v_f = features_of(train)
    return baselines.DemographicsOnly().fit(train, v_f), baselines.Oracle().fit(train, v_f), v_f


def test_order_of_the_baselines(fitted, crowd, features_of):
    """Mean feature, then demographics, then the truth; and the listener uses what the body gives to the voice."""
    demographics, listener, train_v_f = fitted
    test = crowd[1]
    v_f = features_of(test, seed=5)
    angle = {
        "mean": metrics.similarity.angle_deg(metrics.similarity.mean_feature(train_v_f, len(test)), v_f).mean(),
        "demographics": metrics.similarity.angle_deg(demographics.predict(test), v_f).mean(),
        "listener": metrics.similarity.angle_deg(listener.predict(test), v_f).mean(),
    }
    assert angle["demographics"] < angle["mean"] - 3
    assert angle["listener"] < angle["mean"] - 3


def test_demographics_know_nothing_beyond_their_cells(fitted, crowd):
    demographics, _, _ = fitted
    test = crowd[1]
    predicted = demographics.predict(test)
    changed = test.assign(jaw=9.0, nose=-9.0, voice_f0=50.0)
    np.testing.assert_array_equal(predicted, demographics.predict(changed))
    cells = baselines._keys(test).astype(str).agg("|".join, axis=1).to_numpy()
    for cell in np.unique(cells)[:20]:
        assert np.ptp(predicted[cells == cell], axis=0).max() == 0


def test_the_listener_hears_only_voice_and_language(fitted, crowd):
    listener = fitted[1]
    test = crowd[1]
    predicted = listener.predict(test)
    silent = test.assign(sex="female", age=30.0, group="A", jaw=5.0, melanin=1.0, voice_idiolect=0)
    np.testing.assert_array_equal(predicted, listener.predict(silent))
    assert np.abs(predicted - listener.predict(test.assign(voice_f0=80.0))).max() > 0.1


def test_demographics_find_people_above_chance_and_not_within_a_cell(fitted, crowd, features_of):
    test = crowd[1]
    ranks = metrics.retrieval.rank(fitted[0].predict(test), features_of(test, seed=6))
    assert ranks.top_percent(10) > 0.2


def test_nothing_is_predicted_where_nothing_is_shared(crowd):
    """Features of noise: the ceiling must not find structure on new people."""
    train, test = crowd
    rng = np.random.default_rng(0)
    listener = baselines.Oracle().fit(train, rng.normal(size=(len(train), 32)) + 3)
    ranks = metrics.retrieval.rank(listener.predict(test), (rng.normal(size=(len(test), 32)) + 3).astype(np.float32))
    assert ranks.match(2).mean() == pytest.approx(0.5, abs=0.06)


def test_bad_tables_are_named(crowd):
    train = crowd[0]
    v_f = np.random.default_rng(0).normal(size=(len(train), 8))
    with pytest.raises(ValueError, match="lacks language"):
        baselines.DemographicsOnly().fit(train.drop(columns="language"), v_f)
    with pytest.raises(ValueError, match=r"voice_\.\.\. columns"):
        baselines.Oracle().fit(train[["sex", "age", "group", "language"]], v_f)
    with pytest.raises(ValueError, match="600 people for 5"):
        baselines.DemographicsOnly().fit(train, v_f[:5])
    with pytest.raises(ValueError, match="not been fitted"):
        baselines.Oracle().predict(train)
    with pytest.raises(ValueError, match="keys should be"):
        baselines.DemographicsOnly(keys=("nose",))
