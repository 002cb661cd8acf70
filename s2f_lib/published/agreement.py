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
        Gets agreement of gender and decade, decades within one, the correlation of ages, and the matrices.
    labels : np.ndarray, shape (N,), optional
        "female" or "male" as the authors' file names say (VoxCeleb): the classifier's own error.
    """
    sexes, decades = metrics.labels.SEXES, metrics.labels.DECADES
    for a, b in combinations(kinds, 2):
        both = kinds[a].ok & kinds[b].ok
        sex = kinds[a].sex[both], kinds[b].sex[both]
        decade = metrics.labels.decade(kinds[a].age[both]), metrics.labels.decade(kinds[b].age[both])
        of, who = {"reference": a, "picture": b}, speakers[both]
        for label, pair, classes in (("gender", sex, sexes), ("decade", decade, decades)):
            counted = metrics.labels.confusion_counts(*pair, classes)
            findings.count("confusion", counted, label=label, **of, classes=list(classes))
        apart = np.abs(decade[0] - decade[1])
        of = {"experiment": "labels", **of}
        for measure, label, kept in (
            ("agreement", "gender", sex[0] == sex[1]),
            ("agreement", "decade", apart == 0),
            ("within_one_decade", "decade", apart <= 10),
        ):
            findings.add(measure, metrics.inference.mean_interval(kept.astype(float), who), label=label, **of)
        findings.add("age_r", np.corrcoef(kinds[a].age[both], kinds[b].age[both])[0, 1], **of)
    if labels is not None:
        for kind, pictures in kinds.items():
            named, seen = labels[pictures.ok], pictures.sex[pictures.ok]
            of = {"label": "gender", "reference": "file name", "picture": kind}
            findings.count("confusion", metrics.labels.confusion_counts(named, seen, sexes), **of, classes=list(sexes))
            right = metrics.inference.mean_interval((named == seen).astype(float), speakers[pictures.ok])
            findings.add("agreement", right, experiment="labels", **of)
