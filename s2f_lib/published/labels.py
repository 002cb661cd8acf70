"""Do the labels agree? Gender and age, as a classifier calls the true face, F2F and S2F; counts kept as matrices."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from s2f_lib import metrics
from s2f_lib.published.findings import Findings
from s2f_lib.published.pictures import Pictures

SEXES = ("female", "male")
DECADES = metrics.labels.DECADES


def count_matrix(reference: np.ndarray, predicted: np.ndarray, classes: tuple) -> np.ndarray:
    """Pictures with label i on the reference and j on the other; shape (C, C), integers.

    Examples
    --------
    >>> count_matrix(np.array(["a", "b"]), np.array(["a", "a"]), ("a", "b")).tolist()
    [[1, 0], [1, 0]]
    """
    return np.array([[int(((reference == i) & (predicted == j)).sum()) for j in classes] for i in classes])


def from_counts(counts: np.ndarray, within: int = 0, times: int = 2000, seed: int = 0) -> metrics.inference.Interval:
    """Agreement and its bootstrap interval from a matrix of counts alone.

    Parameters
    ----------
    counts : np.ndarray of int, shape (C, C)
    within : int
        0 counts the diagonal; 1 its neighbours too.

    Notes
    -----
    Drawing clips with replacement and counting cells is one multinomial draw of the cells, so nothing but the matrix
    is needed. It takes every clip for independent: right for AVSpeech, where 968 clips come from 931 videos.
    """
    counts = np.asarray(counts)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.sum() < 2:
        raise ValueError(f"expected a square matrix of counts with at least two pictures, got shape {counts.shape}")
    near = np.abs(np.subtract.outer(np.arange(len(counts)), np.arange(len(counts)))) <= within
    n = int(counts.sum())
    draws = np.random.default_rng(seed).binomial(n, counts[near].sum() / n, times) / n
    low, high = np.percentile(draws, [2.5, 97.5])
    return metrics.inference.Interval(float(counts[near].sum() / n), float(low), float(high), n)


def balanced(counts: np.ndarray) -> float:
    """Mean over the reference's classes of the share kept; classes without a picture are left out."""
    counts = np.asarray(counts, float)
    filled = counts.sum(axis=1) > 0
    return float((np.diag(counts)[filled] / counts.sum(axis=1)[filled]).mean())


def constant(counts: np.ndarray, within: int = 0) -> float:
    """Agreement with the reference of the best answer that is the same for everybody."""
    rows = np.asarray(counts).sum(axis=1)
    return float(max(rows[max(0, i - within) : i + within + 1].sum() for i in range(len(rows))) / rows.sum())


def measure(
    kinds: dict[str, Pictures], speakers: np.ndarray, findings: Findings, labels: np.ndarray | None = None
) -> None:
    """Agreement of every pair of kinds, added to the findings; the intervals draw speakers.

    Parameters
    ----------
    kinds : dict of kind to Pictures, same clips in the same order
    speakers : np.ndarray, shape (N,)
    findings : Findings
        Gets ``gender_<a>_<b>``, ``age_same_decade_<a>_<b>``, ``age_within_one_<a>_<b>``, and the matrices.
    labels : np.ndarray, shape (N,), optional
        "female" or "male" as the authors' file names say (VoxCeleb): the classifier's own error.
    """
    findings.tables["sexes"], findings.tables["decades"] = list(SEXES), list(DECADES)
    for a, b in combinations(kinds, 2):
        both = kinds[a].ok & kinds[b].ok
        sexes = kinds[a].sex[both], kinds[b].sex[both]
        decades = metrics.labels.decade(kinds[a].age[both]), metrics.labels.decade(kinds[b].age[both])
        findings.tables[f"gender_{a}_{b}"] = count_matrix(*sexes, SEXES).tolist()
        findings.tables[f"age_{a}_{b}"] = count_matrix(*decades, DECADES).tolist()
        apart = np.abs(decades[0] - decades[1])
        kept = {"gender": sexes[0] == sexes[1], "age_same_decade": apart == 0, "age_within_one": apart <= 10}
        for name, values in kept.items():
            findings.add(f"{name}_{a}_{b}", metrics.inference.mean_interval(values.astype(float), speakers[both]))
        findings.add(f"age_r_{a}_{b}", np.corrcoef(kinds[a].age[both], kinds[b].age[both])[0, 1])
    if labels is not None:
        for kind, pictures in kinds.items():
            named, seen = labels[pictures.ok], pictures.sex[pictures.ok]
            findings.tables[f"gender_named_{kind}"] = count_matrix(named, seen, SEXES).tolist()
            right = metrics.inference.mean_interval((named == seen).astype(float), speakers[pictures.ok])
            findings.add(f"gender_named_{kind}", right)
