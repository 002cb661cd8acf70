"""The craniofacial table, measured again: the authors' pictures, our landmarks, and questions the paper left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from s2f_lib import metrics
from s2f_lib.published import paper
from s2f_lib.published.findings import Findings
from s2f_lib.published.pictures import Pictures

if TYPE_CHECKING:
    import pandas as pd

TOLERANCE = 0.10  # landmark tools alone move single correlations by 0.1 to 0.25 (the authors' own files show it)
INDICES = ("mandibular index", "intercanthal index", "nasal index", "vermilion height index", "mouth face width index")


def table(predicted: Pictures, reference: Pictures, only: tuple[str, ...] | None = None) -> pd.DataFrame:
    """Correlation of each measure over the clips that both sides have: pooled, within gender label, adjusted.

    Parameters
    ----------
    predicted, reference : Pictures
        S2F, and F2F or the true face, same clips in the same order. Gender and age labels are the reference's.
    only : tuple of str, optional
        Names of the measures; all thirteen by default. True faces are seen from all sides and distances, so against
        them only ratios (`INDICES`) mean something.
    """
    import pandas as pd

    both = predicted.ok & reference.ok
    sides = [metrics.face_measures.craniofacial(side.landmarks[both]) for side in (predicted, reference)]
    if only is not None:
        sides = [{name: side[name] for name in only} for side in sides]
    people = pd.DataFrame({"sex": reference.sex[both], "age": reference.age[both]})
    return metrics.craniofacial.correlations(*sides, people).assign(n=int(both.sum()))


def measure(kinds: dict[str, Pictures], findings: Findings) -> None:
    """Add the correlations of every S2F kind with F2F, and of the exaggerated one with the true face."""
    for kind in ("s2f_0", "s2f_07", "s2f_14"):
        if kind in kinds:
            found, of = table(kinds[kind], kinds["f2f"]), {"reference": "f2f", "picture": kind}
            _add(findings, found, **of)
            for how in ("pooled", "adjusted"):
                at = {"experiment": "craniofacial", **of, "how": how}
                median = metrics.craniofacial.median_r(found, how, metrics.face_measures.EXTRA)
                findings.add("median_r", median, **at)
                findings.add("significant", int((found[f"holm_{how}"] < 0.05).sum()), **at)
    _add(findings, table(kinds["s2f_07"], kinds["true"], INDICES), reference="true", picture="s2f_07")
    of = {"experiment": "craniofacial", "reference": "f2f", "picture": "s2f_07"}
    near = 0
    for name, r in table(kinds["s2f_07"], kinds["f2f"])["pooled"].items():
        published = paper.CRANIOFACIAL[key_of(name)]
        findings.add("r", published, **of, source="paper", face_measure=name, how="pooled")
        near += key_of(name) != paper.NOT_PRINTED and abs(r - published) <= TOLERANCE
    findings.add("within_tolerance", near, **of)


def _add(findings: Findings, found: pd.DataFrame, **pair: str) -> None:
    """Add every correlation of a table and its corrected p, rounded to what 968 clips can say."""
    for name, row in found.iterrows():
        for how in ("pooled", "female", "male", "adjusted", "random"):
            of = {"experiment": "craniofacial", **pair, "face_measure": name, "how": how, "n": int(row["n"])}
            if np.isfinite(row[how]):
                findings.add("r", round(float(row[how]), 5), **of)
                if how == "pooled":
                    low, high = metrics.craniofacial.fisher_interval(findings.rows[-1]["value"], int(row["n"]))
                    findings.rows[-1] |= {"low": low, "high": high}
            if np.isfinite(row.get(f"holm_{how}", np.nan)):
                findings.add("p_holm", round(float(row[f"holm_{how}"]), 5), **of)


def key_of(name: str) -> str:
    """Name of a measure as the records write it: "nose width" -> "nose_width"."""
    return name.replace(" ", "_")
