"""Agreement of labels: confusion matrices in the paper's layout, balanced accuracy, the constant guess.

Labels come from the population (synthetic people) or from a named classifier; they are never a fact
about a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from s2f_lib.metrics import checks, inference

if TYPE_CHECKING:
    import pandas as pd

SEXES = ("female", "male")
GROUPS = ("A", "B", "C", "D")
DECADES = (10, 20, 30, 40, 50, 60, 70, 80)


def decade(age: np.ndarray) -> np.ndarray:
    """Age in years to the decade it lies in: 37.2 -> 30; clipped to 10..80, as the paper's figure."""
    return np.clip(np.floor(checks.column(age, "age") / 10) * 10, DECADES[0], DECADES[-1]).astype(int)


def confusion(reference: Sequence, predicted: Sequence, labels: Sequence | None = None) -> np.ndarray:
    """Row-normalised confusion matrix: of the clips with label i, the share that got label j.

    Parameters
    ----------
    reference, predicted : array-like, shape (N,)
    labels : sequence, optional
        Order of rows and columns; by default the sorted labels of both.

    Returns
    -------
    np.ndarray, shape (L, L); each row sums to 1

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
    counts = _counts(reference, predicted, labels)[0].astype(float)
    return counts / counts.sum(axis=1, keepdims=True)


def _counts(reference: Sequence, predicted: Sequence, labels: Sequence | None) -> tuple[np.ndarray, list]:
    reference = checks.column(reference, "reference", least=1)
    predicted = checks.column(predicted, "predicted", len(reference))
    labels = list(np.unique(np.concatenate([reference, predicted]))) if labels is None else list(labels)
    place = {label: i for i, label in enumerate(labels)}
    strange = sorted({str(x) for x in np.concatenate([reference, predicted]).tolist() if x not in place})
    if strange:
        raise ValueError(f"labels {', '.join(strange)} are not among {labels}")
    counts = np.zeros((len(labels), len(labels)), int)
    np.add.at(counts, ([place[x] for x in reference.tolist()], [place[x] for x in predicted.tolist()]), 1)
    empty = [str(label) for label, row in zip(labels, counts, strict=True) if not row.sum()]
    if empty:
        raise ValueError(f"class {', '.join(empty)} has no clip in the reference; leave it out or bring more people")
    return counts, labels


def paper_layout(matrix: np.ndarray) -> np.ndarray:
    """Rows turned upside down, as in the paper's figure 4: the first label at the bottom, like an axis."""
    return np.asarray(matrix)[::-1]


def agreement(reference: Sequence, predicted: Sequence) -> float:
    """Share of clips with the same label on both sides."""
    reference = checks.column(reference, "reference", least=1)
    return float((reference == checks.column(predicted, "predicted", len(reference))).mean())


def balanced_accuracy(reference: Sequence, predicted: Sequence, labels: Sequence | None = None) -> float:
    """Mean over classes of the share that is right: a constant guess gets 1 / classes whatever the mix."""
    if labels is None:
        labels = list(np.unique(np.asarray(reference)))
        labels += [x for x in np.unique(np.asarray(predicted)).tolist() if x not in labels]
        reference, predicted = np.asarray(reference), np.asarray(predicted)
        return float(np.mean([(predicted[reference == x] == x).mean() for x in np.unique(reference).tolist()]))
    return float(np.diag(confusion(reference, predicted, labels)).mean())


def constant_predictor(reference: Sequence) -> tuple[object, float]:
    """The most frequent label, and the agreement reached by always saying it."""
    values, counts = np.unique(checks.column(reference, "reference", least=1), return_counts=True)
    return values.tolist()[counts.argmax()], float(counts.max() / counts.sum())


def within_one_decade(reference: np.ndarray, predicted: np.ndarray) -> float:
    """Share of clips whose age decade is right or the neighbouring one."""
    return float((np.abs(decade(reference) - decade(predicted)) <= 10).mean())


def summary(reference: Sequence, predicted: Sequence, people: np.ndarray | None = None) -> dict[str, float]:
    """Agreement with interval, balanced accuracy, constant guess, N: the row a reader needs."""
    reference, predicted = np.asarray(reference), np.asarray(predicted)
    right = inference.mean_interval((reference == predicted).astype(float), people)
    return {
        "agreement": right.estimate,
        "low": right.low,
        "high": right.high,
        "balanced": balanced_accuracy(reference, predicted),
        "chance_balanced": 1 / len(np.unique(reference)),
        "constant": constant_predictor(reference)[1],
        "n": len(reference),
    }


def by_group(values: np.ndarray, groups: Sequence, people: np.ndarray | None = None) -> pd.DataFrame:
    """Mean of ``values`` per group with a 95 % interval and the number of clips; a group of one has no interval."""
    import pandas as pd

    values = checks.column(values, "values").astype(float)
    groups = checks.column(groups, "groups", len(values))
    rows = {}
    for group in np.unique(groups):
        mask = groups == group
        row = {"mean": values[mask].mean(), "low": np.nan, "high": np.nan, "n": int(mask.sum())}
        if mask.sum() > 1:
            interval = inference.mean_interval(values[mask], None if people is None else people[mask])
            row.update(low=interval.low, high=interval.high)
        rows[group] = row
    return pd.DataFrame.from_dict(rows, orient="index")
