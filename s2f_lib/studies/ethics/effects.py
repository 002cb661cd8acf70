"""What in a drawn face follows the voice, in which world, and for whom: measures for the ethics page.

All of it is about *labels and pixels of computer-made faces*. "Follows" means: correlates over test people with the
same attribute of their true canonical face, sex and age taken out, so that a listener who hears only those gets 0.
"""

import numpy as np
import pandas as pd

from s2f_lib import metrics
from s2f_lib.evaluate import appearance
from s2f_lib.metrics import inference
from s2f_lib.metrics.inference import Interval

ATTRIBUTES = ("skin", "hair", "nose", "jaw", "age")
MEASURED = {"nose": "nose width", "jaw": "jaw width"}  # measures of s2f_lib.metrics.face_measures


def attributes(pictures: np.ndarray, landmarks: np.ndarray, labels: pd.DataFrame) -> pd.DataFrame:
    """Attributes of canonical faces: ``skin``, ``hair`` (lightness), ``nose``, ``jaw`` (widths), ``age``, ``male``.

    Pictures are uint8 (N, S, S, 3), landmarks (N, 68, 2) in [0, 1] of the picture; ``age`` and ``male`` (0 to 1) of
    ``labels`` are as assigned or as read off the faces.
    """
    measures = metrics.face_measures.craniofacial(landmarks)
    columns = appearance.skin_and_hair(pictures) | {name: measures[long] for name, long in MEASURED.items()}
    return labels[["age", "male"]].assign(**columns)


def attribute_correlations(drawn: pd.DataFrame, true: pd.DataFrame, times: int = 300) -> dict[str, Interval]:
    """How each attribute of the drawn faces follows the true one.

    Correlations of ``skin``, ``hair``, ``nose``, ``jaw`` (sex and age taken out) and ``age`` (sex
    taken out), and for ``sex`` the share of faces read as assigned. A face that does not change at all gives r = 0.
    """
    if len(drawn) != len(true):
        raise ValueError(f"{len(drawn)} drawn faces for {len(true)} people")
    male = true["male"].to_numpy(float)
    age = (true["age"].to_numpy(float) - 50) / 20
    both = np.column_stack([male, age, age**2, male * age])
    out = {}
    for name in ATTRIBUTES:
        take_out = male[:, None] if name == "age" else both
        out[name] = partial_r(drawn[name].to_numpy(float), true[name].to_numpy(float), take_out, times)
    right = ((drawn["male"].to_numpy(float) > 0.5) == (male > 0.5)).astype(float)
    out["sex"] = metrics.inference.mean_interval(right, times=times)
    return out


def partial_r(x: np.ndarray, y: np.ndarray, take_out: np.ndarray, times: int = 300, seed: int = 0) -> Interval:
    """Partial correlation with a bootstrap interval over people; 0 where x or y does not vary.

    The covariates are taken out once, and pairs of residuals are drawn: with hundreds of people the coefficients of a
    handful of covariates are known well enough.
    """
    value = metrics.craniofacial.pearson(x, y, take_out)[0]
    if not np.isfinite(value):
        return Interval(0.0, 0.0, 0.0, len(x))
    design = np.column_stack([np.ones(len(x)), take_out])
    x, y = (v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (x, y))
    pick = np.array(metrics.inference.draws(len(x), times=times, seed=seed))
    a, b = (v[pick] - v[pick].mean(axis=1, keepdims=True) for v in (x, y))
    drawn = (a * b).sum(axis=1) / np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(value, float(min(low, value)), float(max(high, value)), len(x))


def effect(before: np.ndarray, after: np.ndarray, group_gap: float, times: int = 1000, seed: int = 0) -> Interval:
    """How far an attribute (N,) of the same people's faces moves when one cause changes, as a share of `group_gap`.

    That is the true mean difference of two groups; 1 in the result means "as different as the groups are".
    """
    before = inference.as_column(before, "before").astype(float)
    after = inference.as_column(after, "after", len(before)).astype(float)
    if group_gap == 0 or not np.isfinite(group_gap):
        raise ValueError(f"the two groups do not differ in this attribute (difference {group_gap})")
    return metrics.inference.mean_interval((after - before) / group_gap, times=times, seed=seed)


def subsample(groups: np.ndarray, group: str, share: float, repair: bool = False) -> np.ndarray:
    """Rows of a corpus (groups: (N,)) in which one group has only ``share`` of the people; others stay as they are.

    ``repair`` repeats the rows that are left until the group has its old weight: balanced sampling.
    """
    groups = inference.as_column(groups, "groups")
    inside, others = np.flatnonzero(groups == group), np.flatnonzero(groups != group)
    if not len(inside):
        raise ValueError(f"group {group!r} has nobody in this corpus")
    if not 0 <= share < 1:
        raise ValueError(f"share should lie in [0, 1), got {share}")
    keep = min(len(inside), round(share * len(others) / (1 - share)))
    rng = np.random.default_rng(0)
    left = rng.choice(inside, keep, replace=False)
    if repair and keep:
        left = np.concatenate([left, rng.choice(left, len(inside) - keep)])
    return np.sort(np.concatenate([others, left]))
