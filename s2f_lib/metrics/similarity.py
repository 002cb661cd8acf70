"""How near is v_s to v_f? Angle, L1 and L2 per clip, beside what trivial predictors reach.

The paper's Table 2 prints no baseline, and its L1 and L2 columns use a scale it does not state: for unit vectors
45.75 degrees means an L2 of 0.777, the table says 0.18. So only the angle can be compared with it. Non-negative
features (VGG-Face's fc7 after its ReLU) are far from orthogonal even for strangers, so an angle means
little without those of the mean feature and of random pairs.
"""

import numpy as np

from s2f_lib.metrics import inference


def unit(x: np.ndarray, name: str = "features") -> np.ndarray:
    """Rows scaled to length 1, (N, D) -> (N, D); ValueError on a row of zeros, which has no direction."""
    return inference.directions(inference.as_features(x, name), name)


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine of every row of ``a`` (N, D) with every row of ``b`` (M, D); shape (N, M)."""
    return unit(a, "a") @ unit(b, "b").T


def angle_deg(v_s: np.ndarray, v_f: np.ndarray) -> np.ndarray:
    """Angle between predicted and true feature of each clip, in degrees.

    Parameters
    ----------
    v_s, v_f : np.ndarray, shape (N, D), finite, no row of zeros
        One of the two may be a single row (1, D), which then meets every row of the other.

    Returns
    -------
    np.ndarray, shape (N,), in [0, 180]; in [0, 90] when both are non-negative

    Notes
    -----
    Source: Oh et al. (2019), Table 2. The half-angle form (Kahan) stays exact near 0 and 180 degrees, where the
    arccosine of a rounded cosine does not.

    See Also
    --------
    distances, s2f_lib.metrics.retrieval.rank

    Examples
    --------
    >>> angle_deg(np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([[0.0, 2.0], [3.0, 3.0]])).round(6).tolist()
    [90.0, 0.0]
    """
    return distances(v_s, v_f)["angle_deg"]


def distances(v_s: np.ndarray, v_f: np.ndarray) -> dict[str, np.ndarray]:
    """``angle_deg`` and, on unit features, ``l2`` in [0, 2] and ``l1``; each of shape (N,)."""
    v_s, v_f = inference.paired(v_s, v_f)
    a, b = inference.directions(v_s.astype(np.float64), "v_s"), inference.directions(v_f.astype(np.float64), "v_f")
    difference = a - b
    l2 = np.linalg.norm(difference, axis=1)
    angle = np.degrees(2 * np.arctan2(l2, np.linalg.norm(a + b, axis=1)))
    return {"angle_deg": angle, "l2": l2, "l1": np.abs(difference).sum(axis=1)}


def mismatched(n: int, seed: int = 0, people: np.ndarray | None = None) -> np.ndarray:
    """Mismatched pairs: for each of ``n`` clips the row of a clip of somebody else, drawn at random; shape (n,).

    ValueError for fewer than two people.

    Examples
    --------
    >>> other = mismatched(5)
    >>> bool((other != np.arange(5)).all())
    True
    """
    people = np.arange(n) if people is None else inference.as_column(people, "people", n)
    if len(np.unique(people)) < 2:
        raise ValueError("mismatched pairs need at least two people")
    rng = np.random.default_rng(seed)
    other = rng.integers(0, n, n)
    while (same := people[other] == people).any():
        other[same] = rng.integers(0, n, int(same.sum()))
    return other


def mean_feature(train_v_f: np.ndarray, n: int) -> np.ndarray:
    """The mean feature of training people, repeated for ``n`` clips: the constant guess; shape (n, D)."""
    return np.repeat(inference.as_features(train_v_f, "train_v_f").mean(axis=0, keepdims=True), n, axis=0)


def table(predictions: dict[str, np.ndarray], v_f: np.ndarray, people: np.ndarray | None = None):
    """Table (pandas.DataFrame), one row per predictor: mean angle with interval and spread, mean L2 and L1.

    Predictions and truth are (N, D); the interval draws people (N,), and without them every clip is another person.
    Columns: ``angle_deg``, ``low`` and ``high`` (95 % interval of the mean), ``sd`` (the spread over clips, the paper's
    "+-"), ``l2``, ``l1``, ``n``.
    """
    import pandas as pd

    rows = {}
    for name, predicted in predictions.items():
        d = distances(predicted, v_f)
        mean = inference.mean_interval(d["angle_deg"], people)
        rows[name] = {"angle_deg": mean.estimate, "low": mean.low, "high": mean.high, "sd": d["angle_deg"].std()}
        rows[name] |= {"l2": d["l2"].mean(), "l1": d["l1"].mean(), "n": len(v_f)}
    return pd.DataFrame.from_dict(rows, orient="index")
