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

    from s2f_lib import faces

    both = predicted.ok & reference.ok
    sides = [faces.craniofacial(side.landmarks[both]) for side in (predicted, reference)]
    if only is not None:
        sides = [{name: side[name] for name in only} for side in sides]
    people = pd.DataFrame({"sex": reference.sex[both], "age": reference.age[both]})
    return metrics.craniofacial.correlations(*sides, people).assign(n=int(both.sum()))


def measure(kinds: dict[str, Pictures], findings: Findings) -> None:
    """Add the correlations of every S2F kind with F2F, and of the exaggerated one with the true face."""
    columns = ["pooled", "female", "male", "adjusted", "random", "holm_pooled", "holm_female", "holm_male"]
    columns += ["holm_adjusted", "n"]
    for kind in ("s2f_0", "s2f_07", "s2f_14"):
        if kind in kinds:
            found = table(kinds[kind], kinds["f2f"])
            findings.tables[f"craniofacial_f2f_{kind}"] = _plain(found[columns])
            findings.add(f"craniofacial_median_{kind}", metrics.craniofacial.median_r(found, "pooled", faces_extra()))
            findings.add(
                f"craniofacial_median_adjusted_{kind}", metrics.craniofacial.median_r(found, "adjusted", faces_extra())
            )
            for how in ("pooled", "adjusted"):
                findings.add(f"craniofacial_significant_{how}_{kind}", int((found[f"holm_{how}"] < 0.05).sum()))
    against_true = table(kinds["s2f_07"], kinds["true"], INDICES)
    findings.tables["craniofacial_true_s2f_07"] = _plain(against_true[columns])
    near = 0
    for name, row in findings.tables["craniofacial_f2f_s2f_07"].items():
        key, published = key_of(name), paper.CRANIOFACIAL[key_of(name)]
        findings.add(f"craniofacial_{key}", row["pooled"])
        findings.intervals[f"craniofacial_{key}"] = metrics.craniofacial.fisher_interval(row["pooled"], int(row["n"]))
        findings.add(f"craniofacial_{key}_published", published)
        near += key != paper.NOT_PRINTED and abs(row["pooled"] - published) <= TOLERANCE
    findings.add("craniofacial_within_0_10", near)


def key_of(name: str) -> str:
    """Name of a measure as the records write it: "nose width" -> "nose_width"."""
    return name.replace(" ", "_")


def faces_extra() -> tuple[str, ...]:
    """Measures that the printed table leaves out."""
    from s2f_lib import faces

    return tuple(name for name in faces.MEASURES if name not in faces.PAPER_MEASURES)


def _plain(table: pd.DataFrame) -> dict[str, dict[str, float | None]]:
    """A table as JSON types; numbers rounded to what 968 clips can say, NaN as None."""
    return {
        str(name): {column: None if not np.isfinite(value) else round(float(value), 5) for column, value in row.items()}
        for name, row in table.iterrows()
    }
