"""Do the labels agree? Gender and age, as a classifier calls the true face, F2F and S2F; counts kept as matrices."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from s2f_lib import metrics
from s2f_lib.published.findings import Findings
from s2f_lib.published.pictures import Pictures


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
    sexes, decades = metrics.labels.SEXES, metrics.labels.DECADES
    findings.tables["sexes"], findings.tables["decades"] = list(sexes), list(decades)
    for a, b in combinations(kinds, 2):
        both = kinds[a].ok & kinds[b].ok
        sex = kinds[a].sex[both], kinds[b].sex[both]
        decade = metrics.labels.decade(kinds[a].age[both]), metrics.labels.decade(kinds[b].age[both])
        findings.tables[f"gender_{a}_{b}"] = metrics.labels.confusion_counts(*sex, sexes).tolist()
        findings.tables[f"age_{a}_{b}"] = metrics.labels.confusion_counts(*decade, decades).tolist()
        apart = np.abs(decade[0] - decade[1])
        kept = {"gender": sex[0] == sex[1], "age_same_decade": apart == 0, "age_within_one": apart <= 10}
        for name, values in kept.items():
            findings.add(f"{name}_{a}_{b}", metrics.inference.mean_interval(values.astype(float), speakers[both]))
        findings.add(f"age_r_{a}_{b}", np.corrcoef(kinds[a].age[both], kinds[b].age[both])[0, 1])
    if labels is not None:
        for kind, pictures in kinds.items():
            named, seen = labels[pictures.ok], pictures.sex[pictures.ok]
            findings.tables[f"gender_named_{kind}"] = metrics.labels.confusion_counts(named, seen, sexes).tolist()
            right = metrics.inference.mean_interval((named == seen).astype(float), speakers[pictures.ok])
            findings.add(f"gender_named_{kind}", right)
