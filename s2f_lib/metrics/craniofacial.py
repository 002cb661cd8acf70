"""Do face measures follow the voice? Pearson correlations as in the paper, and as they should be asked.

The paper correlates measures of S2F pictures with those of F2F pictures over everybody together. Men and
women differ in nearly every measure, so a model that hears only the sex gets r of 0.2 to 0.4 for noses and
jaws. Hence four versions: pooled (the paper's), within women, within men, and adjusted for sex and age; each
with p-values corrected for the number of measures, against random pairs as the baseline.

The measures themselves, with landmark numbers, are in `s2f_lib.metrics.face_measures`.
"""

import numpy as np

from s2f_lib.metrics import inference


def pearson(x: np.ndarray, y: np.ndarray, covariates: np.ndarray | None = None) -> tuple[float, float]:
    """Correlation of x and y, with covariates taken out of both, and its two-sided p-value.

    x and y are (N,), the covariates (N, C): residuals of a linear fit (with constant) on these are correlated, the
    partial correlation. (nan, nan) where one does not vary; ValueError for fewer than four clips more than covariates.
    """
    from scipy import stats

    x = inference.as_column(x, "x").astype(float)
    y = inference.as_column(y, "y", len(x)).astype(float)
    used = 0
    if covariates is not None:
        covariates = inference.as_features(np.asarray(covariates, float), "covariates")
        if len(covariates) != len(x):
            raise ValueError(f"covariates have {len(covariates)} rows for {len(x)} clips")
        covariates = covariates[:, np.ptp(covariates, axis=0) > 0]  # a constant one takes nothing out
        used = np.linalg.matrix_rank(covariates - covariates.mean(axis=0)) if covariates.shape[1] else 0
        design = np.column_stack([np.ones(len(x)), covariates])
        x, y = (v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (x, y))
    freedom = len(x) - 2 - used
    if freedom < 2:
        raise ValueError(f"{len(x)} clips are too few for a correlation with {used} covariates")
    x, y = x - x.mean(), y - y.mean()
    scale = np.sqrt((x @ x) * (y @ y))
    if scale <= 1e-12 * max(1.0, len(x)):
        return float("nan"), float("nan")
    r = float(np.clip(x @ y / scale, -1, 1))
    if abs(r) == 1:
        return r, 0.0
    return r, float(2 * stats.t.sf(abs(r) * np.sqrt(freedom / (1 - r * r)), freedom))


def fisher_interval(r: float, n: int) -> tuple[float, float]:
    """95 % interval of a Pearson correlation of n independent pairs, by Fisher's z.

    ValueError for fewer pairs than four, or a perfect correlation.

    Examples
    --------
    >>> [round(x, 3) for x in fisher_interval(0.3, 968)]
    [0.242, 0.356]
    """
    if n < 4 or not -1 < r < 1:
        raise ValueError(f"Fisher's interval needs at least 4 pairs and -1 < r < 1, got n = {n} and r = {r}")
    z, half = np.arctanh(r), 1.959964 / np.sqrt(n - 3)
    return float(np.tanh(z - half)), float(np.tanh(z + half))


def covariates(people) -> np.ndarray:
    """Sex, age, age squared and their products with sex of people (pandas.DataFrame), standardised; shape (N, 5)."""
    male = (people["sex"].to_numpy() == "male").astype(float)
    age = people["age"].to_numpy(float)
    age = (age - age.mean()) / (age.std() or 1)
    return np.column_stack([male, age, age**2, male * age, male * age**2])


def correlations(predicted: dict[str, np.ndarray], reference: dict[str, np.ndarray], people, seed: int = 0):
    """Table (pandas.DataFrame): r of predicted with reference for each measure, four ways, and a random baseline.

    Measures (N,) of the S2F faces, and of the F2F or the true faces, have the same names; `people` has ``sex`` and
    ``age``. Columns: ``pooled``, ``female``, ``male``, ``adjusted`` (sex and age taken out), each with ``p_...``
    (two-sided) and ``holm_...`` (corrected); ``random``: pooled r with a random other person. ValueError if the two
    sides measured different things.
    """
    import pandas as pd

    if set(predicted) != set(reference):
        odd = sorted(set(predicted) ^ set(reference))
        raise ValueError(f"both sides should have the same measures; only on one side: {', '.join(odd)}")
    n = len(people)
    male = people["sex"].to_numpy() == "male"
    everybody = np.ones(n, bool)
    masks, take_out = {"pooled": everybody, "female": ~male, "male": male, "adjusted": everybody}, covariates(people)
    other = np.random.default_rng(seed).permutation(n)
    rows = {}
    for name in predicted:
        x = inference.as_column(predicted[name], name, n)
        y = inference.as_column(reference[name], name, n)
        row = {}
        for how, mask in masks.items():
            row[how], row[f"p_{how}"] = np.nan, np.nan
            if mask.sum() >= 10:
                row[how], row[f"p_{how}"] = pearson(x[mask], y[mask], take_out if how == "adjusted" else None)
        row["random"] = pearson(x, y[other])[0]
        rows[name] = row
    table = pd.DataFrame.from_dict(rows, orient="index")
    for how in masks:
        p = table[f"p_{how}"].to_numpy()
        tested = np.isfinite(p)
        table[f"holm_{how}"] = np.nan
        if tested.any():
            table.loc[tested, f"holm_{how}"] = inference.holm(p[tested])
    return table


def median_r(table, how: str = "pooled", leave_out: tuple[str, ...] = ()) -> float:
    """Median correlation over the measures of a table."""
    return float(np.nanmedian(table.drop(index=list(leave_out), errors="ignore")[how]))
