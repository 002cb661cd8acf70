"""Agreement of labels: confusion matrices in the paper's layout, balanced accuracy, the constant guess.

Labels come from the population (synthetic people) or from a named classifier; they are never a fact
about a person.
"""

from collections.abc import Sequence

import numpy as np

from s2f_lib.io import row
from s2f_lib.metrics import inference

SEXES = ("female", "male")
GROUPS = ("A", "B", "C", "D")  # the invented groups of the synthetic people
DECADES = (10, 20, 30, 40, 50, 60, 70, 80)


def decade(age: np.ndarray) -> np.ndarray:
    """Age in years to the decade it lies in: 37.2 -> 30; clipped to 10..80, as the paper's figure."""
    return np.clip(np.floor(inference.as_column(age, "age") / 10) * 10, DECADES[0], DECADES[-1]).astype(int)


def of_people(people) -> dict[str, np.ndarray]:
    """Labels of people (pandas.DataFrame with ``sex``, ``group``, ``language``, ``age``), alone and together, (N,)."""
    found = {name: people[name].to_numpy(str) for name in ("sex", "group", "language")}
    found["decade"] = decade(people["age"].to_numpy(float)).astype(str)
    together = {"sex and group": ("sex", "group"), "sex and decade": ("sex", "decade")}
    for name, parts in (together | {"sex, decade and group": ("sex", "decade", "group")}).items():
        found[name] = np.array([" ".join(one) for one in zip(*(found[part] for part in parts))])
    return found


def confusion(reference: Sequence, predicted: Sequence, labels: Sequence | None = None) -> np.ndarray:
    """Row-normalised confusion matrix (L, L): of the clips with label i, the share that got label j.

    Rows and columns are in the order of `labels`, by default the sorted labels of both (N,).

    Raises
    ------
    ValueError
        Lengths differ, a value is not among ``labels``, or a class has no member in ``reference``: its row would
        be 0/0. Leave that label out, or bring more people.

    Examples
    --------
    >>> confusion(["f", "f", "m", "m"], ["f", "m", "m", "m"])
    array([[0.5, 0.5],
           [0. , 1. ]])
    """
    counts = confusion_counts(reference, predicted, labels).astype(float)
    if not counts.sum(axis=1).all():
        labels = np.unique(np.concatenate([reference, predicted])) if labels is None else labels
        empty = [str(label) for label, row in zip(labels, counts, strict=True) if not row.sum()]
        raise ValueError(f"class {', '.join(empty)} has no clip in the reference; leave it out or bring more people")
    return counts / counts.sum(axis=1, keepdims=True)


def confusion_counts(reference: Sequence, predicted: Sequence, labels: Sequence | None = None) -> np.ndarray:
    """How many clips with label i got label j: integers (L, L), rows and columns as in `confusion`.

    ValueError for a label that is not among them.
    """
    from sklearn.metrics import confusion_matrix

    reference = inference.as_column(reference, "reference")
    predicted = inference.as_column(predicted, "predicted", len(reference))
    there = np.unique(np.concatenate([reference, predicted])).tolist()
    labels = there if labels is None else list(labels)
    if strange := [str(label) for label in there if label not in labels]:
        raise ValueError(f"labels {', '.join(strange)} are not among {labels}")
    return confusion_matrix(reference, predicted, labels=labels)


def kept(counts: np.ndarray, within: int = 0) -> inference.Interval:
    """Agreement from a matrix of counts alone, with its exact interval; ``within`` 1 counts neighbouring classes too.

    It takes every clip for independent: right for AVSpeech, where 968 clips come from 931 videos. ValueError if it is
    not square, or holds fewer than two clips.

    Examples
    --------
    >>> print(kept(np.array([[8, 2], [1, 9]])))
    0.85 [0.621, 0.968]
    """
    counts = np.asarray(counts)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.sum() < 2:
        raise ValueError(f"expected a square matrix of counts with at least two pictures, got shape {counts.shape}")
    near = np.abs(np.subtract.outer(np.arange(len(counts)), np.arange(len(counts)))) <= within
    return inference.proportion(int(counts[near].sum()), int(counts.sum()))


def balanced(counts: np.ndarray) -> float:
    """Balanced accuracy from a matrix of counts: a constant guess gets 1 / classes in any mix.

    Classes of the reference without a clip are left out.
    """
    counts = np.asarray(counts, float)
    filled = counts.sum(axis=1) > 0
    return float((np.diag(counts)[filled] / counts.sum(axis=1)[filled]).mean())


def constant(counts: np.ndarray, within: int = 0) -> float:
    """Agreement with the reference of the best answer that is the same for everybody, from a matrix of counts."""
    rows = np.asarray(counts).sum(axis=1)
    return float(max(rows[max(0, i - within) : i + within + 1].sum() for i in range(len(rows))) / rows.sum())


def summary(reference: Sequence, predicted: Sequence) -> dict[str, float]:
    """Agreement with interval, balanced accuracy, constant guess, N: the row a reader needs."""
    reference, predicted = np.asarray(reference), np.asarray(predicted)
    right = inference.mean_interval((reference == predicted).astype(float))
    counts = confusion_counts(reference, predicted)
    found = {"agreement": right.estimate, "low": right.low, "high": right.high, "balanced": balanced(counts)}
    chance = 1 / len(np.unique(reference))
    return found | {"chance_balanced": chance, "constant": constant(counts), "n": len(reference)}


def by_group(values: np.ndarray, groups: Sequence):
    """Mean of ``values`` per group (pandas.DataFrame), number of clips, and a 95 % interval where they are several."""
    import pandas as pd

    values = inference.as_column(values, "values").astype(float)
    groups = inference.as_column(groups, "groups", len(values))
    rows = {}
    for group in np.unique(groups):
        mask = groups == group
        found = {"mean": values[mask].mean(), "low": np.nan, "high": np.nan, "n": int(mask.sum())}
        if mask.sum() > 1:
            interval = inference.mean_interval(values[mask])
            found.update(low=interval.low, high=interval.high)
        rows[group] = found
    return pd.DataFrame.from_dict(rows, orient="index")


def errors(labels: dict, angle: np.ndarray, sex_right: np.ndarray, top10: np.ndarray) -> dict:
    """Angle, share of right sex labels and of faces in the first 10 %, by sex, decade, group, language, sex and group.

    `labels` are those `of_people`; `angle` (N,) is in degrees, `sex_right` 0 or 1, `top10` a probability. Each table
    (pandas.DataFrame) has one row per group with ``angle_deg``, ``low``, ``high``, ``n``, ``sex_right``, ``sex_low``,
    ``sex_high`` and ``top10_percent``.
    """
    out = {}
    for name in ("sex", "group", "language", "decade", "sex and group"):
        angles, right, found = (by_group(values, labels[name]) for values in (angle, sex_right, top10))
        table = angles.rename(columns={"mean": "angle_deg"})
        table["sex_right"], table["sex_low"], table["sex_high"] = right["mean"], right["low"], right["high"]
        out[name] = table.assign(top10_percent=found["mean"])
    return out


def group_rows(table, by: str) -> list[dict]:
    """One table of `errors` as rows of a record, with the largest difference between its groups."""
    rows = []
    for group, found in table.iterrows():
        of = {"experiment": "groups", "by": by, "group": group, "n": int(found["n"])}
        rows.append(row("angle", found["angle_deg"], **of) | {"low": found["low"], "high": found["high"]})
        rows.append(row("sex_right", found["sex_right"], **of) | {"low": found["sex_low"], "high": found["sex_high"]})
    return [*rows, row("angle_gap", float(np.ptp(table["angle_deg"])), experiment="groups", by=by)]
