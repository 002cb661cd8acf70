"""Checks shared by every measure: what came in, what was wanted, what to do."""

import numpy as np


def features(x: object, name: str) -> np.ndarray:
    """Return ``x`` as a finite float array (N, D); raise ValueError with the reason otherwise."""
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
    a, b = features(v_s, "v_s"), features(v_f, "v_f")
    if a.shape != b.shape and (a.shape[1] != b.shape[1] or 1 not in (len(a), len(b))):
        raise ValueError(
            f"v_s {a.shape} and v_f {b.shape} should have one row per clip and the same dimension; "
            "were the two made from different clips or by different recognisers?"
        )
    return a, b


def column(x: object, name: str, n: int | None = None, least: int = 1) -> np.ndarray:
    """A 1-D array of ``n`` entries (any kind), at least ``least``, numbers finite; else ValueError says why."""
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
