import numpy as np
import pandas as pd
import pytest

from s2f_lib.metrics import craniofacial


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(0)
    return pd.DataFrame({"sex": rng.choice(["female", "male"], 800), "age": rng.uniform(18, 85, 800)})


def test_pearson_is_that_of_scipy():
    from scipy import stats

    rng = np.random.default_rng(1)
    x = rng.normal(size=60)
    y = 0.4 * x + rng.normal(size=60)
    np.testing.assert_allclose(craniofacial.pearson(x, y), stats.pearsonr(x, y), rtol=1e-8)


def test_partial_correlation_is_the_coefficient_of_a_regression():
    """The p-value of a partial correlation is that of x in the regression of y on x and the covariates."""
    from scipy import stats

    rng = np.random.default_rng(2)
    z = rng.normal(size=(80, 2))
    x = z @ [1, -1] + rng.normal(size=80)
    y = z @ [2, 1] + 0.3 * x + rng.normal(size=80)
    design = np.column_stack([np.ones(80), x, z])
    beta, rss, *_ = np.linalg.lstsq(design, y, rcond=None)
    error = np.sqrt(rss[0] / 76 * np.linalg.inv(design.T @ design)[1, 1])
    assert craniofacial.pearson(x, y, z)[1] == pytest.approx(2 * stats.t.sf(abs(beta[1] / error), 76))


def test_a_correlation_made_by_sex_alone_vanishes_within_sex(people):
    """The trap of the pooled table: two measures that share nothing but the sex difference."""
    rng = np.random.default_rng(3)
    male = (people["sex"] == "male").to_numpy()
    table = craniofacial.correlations(
        {"nose": rng.normal(size=800) + 1.5 * male}, {"nose": rng.normal(size=800) + 1.5 * male}, people
    ).loc["nose"]
    assert table["pooled"] > 0.25
    assert table["p_pooled"] < 1e-6
    for how in ("female", "male", "adjusted"):
        assert abs(table[how]) < 0.12
    assert abs(table["random"]) < 0.12


def test_an_individual_correlation_stays_within_sex(people):
    rng = np.random.default_rng(4)
    nose = rng.normal(size=800)
    table = craniofacial.correlations({"n": nose}, {"n": nose + rng.normal(size=800)}, people).loc["n"]
    for how in ("pooled", "female", "male", "adjusted"):
        assert table[how] == pytest.approx(0.707, abs=0.06)


def test_correction_counts_the_measures(people):
    rng = np.random.default_rng(5)
    noise = {f"m{i}": rng.normal(size=800) for i in range(13)}
    table = craniofacial.correlations(noise, {k: rng.normal(size=800) for k in noise}, people)
    assert (table["holm_pooled"] >= table["p_pooled"]).all()
    assert table["holm_pooled"].min() == pytest.approx(min(1, 13 * table["p_pooled"].min()))


def test_a_measure_that_does_not_vary_is_nan_and_not_counted(people):
    rng = np.random.default_rng(6)
    x = {"flat": np.ones(800), "free": rng.normal(size=800)}
    table = craniofacial.correlations(x, {k: rng.normal(size=800) for k in x}, people)
    assert np.isnan(table.loc["flat", "pooled"])
    assert table.loc["free", "holm_pooled"] == pytest.approx(table.loc["free", "p_pooled"])
    assert craniofacial.median_r(table) == table.loc["free", "pooled"]


def test_bad_input_is_named(people):
    good = {"a": np.arange(800.0)}
    with pytest.raises(ValueError, match="only on one side: a, b"):
        craniofacial.correlations(good, {"b": np.arange(800.0)}, people)
    with pytest.raises(ValueError, match="NaN"):
        craniofacial.correlations({"a": np.full(800, np.nan)}, good, people)
    with pytest.raises(ValueError, match="too few"):
        craniofacial.pearson(np.arange(3.0), np.arange(3.0))
    with pytest.raises(ValueError, match="7 entries for 8"):
        craniofacial.pearson(np.arange(8.0), np.arange(7.0))


def test_fisher_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(400):
        x = rng.standard_normal(60)
        y = 0.4 * x + np.sqrt(1 - 0.16) * rng.standard_normal(60)
        low, high = craniofacial.fisher_interval(np.corrcoef(x, y)[0, 1], 60)
        inside += low < 0.4 < high
    assert inside / 400 == pytest.approx(0.95, abs=0.035)
    with pytest.raises(ValueError, match="at least 4 pairs"):
        craniofacial.fisher_interval(0.2, 3)
