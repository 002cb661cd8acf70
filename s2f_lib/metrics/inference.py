"""Intervals by bootstrap over people, p-values by permutation, corrections for many tests.

A corpus has several clips of one person; those are not independent, so people are drawn, and
all clips of a person come along. The checks of arrays that all measures share stand here too, below them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Interval:
    """An estimate with the ends of its interval."""

    estimate: float
    low: float
    high: float
    n: int  # people

    def __str__(self) -> str:
        return f"{self.estimate:.3g} [{self.low:.3g}, {self.high:.3g}]"


def as_column(x: object, name: str, n: int | None = None, least: int = 1) -> np.ndarray:
    """``x`` as a 1-D array of ``n`` entries (any kind), at least ``least`` of them, numbers finite."""
    x = np.asarray(x)
    if x.ndim != 1:
        raise ValueError(f"{name} should be one value per clip, got shape {x.shape}")
    if n is not None and len(x) != n:
        raise ValueError(f"{name} has {len(x)} entries for {n} clips; they should be as many")
    if len(x) < least:
        raise ValueError(f"{name} has {len(x)} entries, at least {least} are needed")
    if np.issubdtype(x.dtype, np.floating) and not np.isfinite(x).all():
        raise ValueError(f"{name} has {(~np.isfinite(x)).sum()} NaN or infinite entries of {len(x)}; drop them first")
    return x


def as_features(x: object, name: str) -> np.ndarray:
    """``x`` as a finite float array (N, D); raise ValueError with the reason otherwise."""
    x = np.asarray(x)
    if x.ndim != 2:
        raise ValueError(f"{name} should have shape (clips, dimensions), got {x.shape}; one clip is {name}[None]")
    if x.shape[0] == 0 or x.shape[1] == 0:
        raise ValueError(f"{name} is empty, shape {x.shape}; at least one clip is needed")
    if not np.issubdtype(x.dtype, np.floating):
        x = x.astype(np.float64)
    bad = ~np.isfinite(x).all(axis=1)
    if bad.any():
        raise ValueError(
            f"{name} has NaN or infinite values in {bad.sum()} of {len(x)} rows (first: row {bad.argmax()}); "
            "drop those clips or look why the encoder failed on them"
        )
    return x


def directions(x: np.ndarray, name: str) -> np.ndarray:
    """Rows of checked features scaled to length 1; ValueError on a row of zeros, which has no direction."""
    length = np.linalg.norm(x, axis=1, keepdims=True)
    if (length == 0).any():
        raise ValueError(f"{name} has {int((length == 0).sum())} rows of zeros; they have no direction, drop them")
    return x / length


def paired(v_s: object, v_f: object) -> tuple[np.ndarray, np.ndarray]:
    """Two feature arrays with one row per clip, same shape (or one row for all); ValueError otherwise."""
    a, b = as_features(v_s, "v_s"), as_features(v_f, "v_f")
    if a.shape != b.shape and (a.shape[1] != b.shape[1] or 1 not in (len(a), len(b))):
        raise ValueError(
            f"v_s {a.shape} and v_f {b.shape} should have one row per clip and the same dimension; "
            "were the two made from different clips or by different recognisers?"
        )
    return a, b


def _members(people: np.ndarray | None, n: int) -> list[np.ndarray]:
    """Rows of each of at least two people: one person says nothing about the spread between people."""
    people = np.arange(n) if people is None else as_column(people, "people", n)
    order = np.argsort(people, kind="stable")
    members = np.split(order, np.flatnonzero(people[order][1:] != people[order][:-1]) + 1)
    if len(members) < 2:
        raise ValueError(f"an interval needs at least two people, got {len(members)}; report the value without one")
    return members


def draws(n: int, people: np.ndarray | None = None, times: int = 1000, seed: int = 0) -> list[np.ndarray]:
    """Row indices of ``times`` resampled corpora of ``n`` clips: people are drawn with replacement."""
    members = _members(people, n)
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, len(members), (times, len(members)))
    if people is None:
        return list(picks)
    return [np.concatenate([members[i] for i in pick]) for pick in picks]


def bootstrap(
    statistic: Callable[..., float], *arrays: np.ndarray, people: np.ndarray | None = None, times: int = 1000
) -> Interval:
    """95 % percentile interval of ``statistic(*arrays)`` with people as the unit.

    The statistic takes the arrays (first axis N), cut to the drawn rows; `people` (N,) are who is heard in each row,
    and without them every row is another person.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13. Draws on which
    the statistic is NaN (a class that was not drawn, say) are left out. ValueError for arrays of different lengths,
    fewer than two people, or a statistic that is never a number.

    Examples
    --------
    >>> x = np.arange(100.0)
    >>> interval = bootstrap(np.mean, x, times=200)
    >>> interval.low < 49.5 < interval.high
    True
    """
    if not arrays:
        raise ValueError("bootstrap needs at least one array to resample")
    arrays = tuple(np.asarray(a) for a in arrays)
    n = len(arrays[0])
    for i, a in enumerate(arrays):
        if len(a) != n:
            raise ValueError(f"array {i} has {len(a)} rows, the first has {n}; they should be as many")
    values = np.array([statistic(*(a[r] for a in arrays)) for r in draws(n, people, times)], dtype=float)
    values = values[np.isfinite(values)]
    if not len(values):
        raise ValueError("the statistic was NaN on every resampled corpus; is one class empty?")
    low, high = np.percentile(values, [2.5, 97.5])
    units = n if people is None else len(np.unique(people))
    return Interval(float(statistic(*arrays)), float(low), float(high), units)


def mean_interval(values: np.ndarray, people: np.ndarray | None = None, times: int = 1000, seed: int = 0) -> Interval:
    """Bootstrap interval of a mean over clips, people as the unit; fast for any number of clips.

    Values that are all 0, or all 1, are taken for a share: every draw of a bootstrap would give it again, so the
    interval is the exact one for so many people, see `proportion`.

    Examples
    --------
    >>> print(mean_interval(np.ones(60)))
    1 [0.94, 1]
    """
    values = as_column(values, "values").astype(float)
    members = _members(people, len(values))
    if (values == 1).all() or (values == 0).all():
        return proportion(int(values[0]) * len(members), len(members))
    total = np.array([values[m].sum() for m in members])
    count = np.array([len(m) for m in members], dtype=float)
    pick = np.random.default_rng(seed).integers(0, len(members), (times, len(members)))
    means = total[pick].sum(axis=1) / count[pick].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(values.mean()), float(low), float(high), len(members))


def proportion(hits: int, n: int) -> Interval:
    """A share of ``n`` independent clips with its exact 95 % interval (Clopper and Pearson, 1934).

    Examples
    --------
    >>> print(proportion(8, 10))
    0.8 [0.444, 0.975]
    """
    from scipy.stats import binomtest

    ends = binomtest(hits, n).proportion_ci(0.95, "exact")
    return Interval(hits / n, float(ends.low), float(ends.high), n)


def permutation_test(
    statistic: Callable[[np.ndarray], float], labels: np.ndarray, times: int = 1000, seed: int = 0
) -> dict[str, float]:
    """Is ``statistic(labels)`` larger than with shuffled labels?

    Returns
    -------
    dict with ``value``, ``chance`` (mean over shuffles), ``low`` and ``high`` (the middle 95 % of them) and
    ``p``, one-sided, (1 + shuffles as large) / (1 + shuffles), so never zero (Phipson and Smyth 2010).
    """
    labels = as_column(labels, "labels", least=2)
    rng = np.random.default_rng(seed)
    value = float(statistic(labels))
    shuffled = np.array([statistic(rng.permutation(labels)) for _ in range(times)], dtype=float)
    low, high = np.percentile(shuffled, [2.5, 97.5])
    p = (1 + (shuffled >= value - 1e-12).sum()) / (1 + times)
    return {"value": value, "chance": float(shuffled.mean()), "low": float(low), "high": float(high), "p": float(p)}


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's (1979) adjusted p-values: the chance of even one false finding among all tests is held.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    p = as_column(p, "p").astype(float)
    order = np.argsort(p)
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    out = np.empty_like(p)
    out[order] = np.minimum(steps, 1)
    return out
