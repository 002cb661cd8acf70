"""The authors' pictures against the true face and each other: labels, distances and retrieval, craniofacial table.

The paper compares its predicted 4096-D feature itself; that was not published. Here the feature is taken again from
the decoded picture, by another recogniser. So the numbers say what is left in the picture, and are lower.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from s2f_lib import metrics
from s2f_lib.published import matching, paper
from s2f_lib.published.findings import Findings
from s2f_lib.published.pictures import Pictures

if TYPE_CHECKING:
    import pandas as pd

S2F = ("s2f_0", "s2f_07", "s2f_14")
PAIRS = (("true", "f2f"), *(("true", kind) for kind in S2F), *(("f2f", kind) for kind in S2F))
BINS = 100  # of the histogram of ranks: one per percent of the gallery
TOLERANCE = 0.10  # landmark tools alone move single correlations by 0.1 to 0.25 (the authors' own files show it)
INDICES = ("mandibular index", "intercanthal index", "nasal index", "vermilion height index", "mouth face width index")


def measure_labels(
    kinds: dict[str, Pictures], speakers: np.ndarray, findings: Findings, labels: np.ndarray | None = None
) -> None:
    """Add agreement of gender and decade, correlation of ages and matrices of every pair of kinds, same clips in each.

    The intervals draw speakers (N,). ``labels`` (N,) are those of the authors' file names (VoxCeleb), "female" or
    "male": the classifier's own error.
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


def centred_cosine(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Cosines (Q, N) after each side's own mean is taken out.

    Decoded pictures share a look of their own, which shifts all of them the same way; the mean takes that shift out.
    It uses no knowledge of which picture belongs to whom.
    """
    return metrics.similarity.cosines(queries - queries.mean(axis=0), gallery - gallery.mean(axis=0))


def measure_distances(kinds: dict[str, Pictures], speakers: np.ndarray, findings: Findings) -> None:
    """Add angles, distances and retrieval for every pair of kinds that is there."""
    for reference, query in PAIRS:
        if reference not in kinds or query not in kinds:
            continue
        both = kinds[reference].ok & kinds[query].ok
        a, b, who = kinds[query].feature[both], kinds[reference].feature[both], speakers[both]
        other = metrics.similarity.mismatched(len(a), people=who)
        of = {"reference": reference, "picture": query}
        l2 = (np.linalg.norm(a - x, axis=1).mean() for x in (b, b[other]))
        angles = (metrics.similarity.angle_deg(a, x).mean() for x in (b, b[other]))
        for measure, (own, random_pair) in (("angle", angles), ("l2", l2)):
            findings.add(measure, own, experiment="similarity", **of)
            findings.add(measure, random_pair, experiment="similarity", **of, baseline="random pair")
        found = matching.ranks(centred_cosine(a, b), who)
        for (measure, k), value in matching.intervals(matching.measures([found]), who).items():
            findings.add(measure, value, experiment="retrieval", **of, k=k)
        findings.add("median_rank_share", found.median() / found.size.mean(), experiment="retrieval", **of)
        findings.count("ranks", rank_histogram(found), **of, gallery=len(a))
    for kind, pictures in kinds.items():
        findings.add("spread", spread(pictures), experiment="similarity", picture=kind)


def rank_histogram(found: matching.Ranks) -> list[int]:
    """Queries whose own face stands in the first, second ... hundredth percent of the gallery."""
    share = (found.expected - 0.5) / found.size
    return np.bincount(np.minimum((share * BINS).astype(int), BINS - 1), minlength=BINS).tolist()


def spread(pictures: Pictures) -> float:
    """Mean distance of the recogniser's features from their mean: how different the faces are from each other."""
    features = pictures.feature[pictures.ok]
    return float(np.linalg.norm(features - features.mean(axis=0), axis=1).mean())


def shape_table(predicted: Pictures, reference: Pictures, only: tuple[str, ...] | None = None) -> pd.DataFrame:
    """Correlation of each measure over the clips that both sides have: pooled, within gender label, adjusted.

    Gender and age labels are the reference's. True faces are seen from all sides and distances, so against them only
    ratios (``only`` `INDICES`) mean something.
    """
    import pandas as pd

    both = predicted.ok & reference.ok
    sides = [metrics.face_measures.craniofacial(side.landmarks[both]) for side in (predicted, reference)]
    if only is not None:
        sides = [{name: side[name] for name in only} for side in sides]
    people = pd.DataFrame({"sex": reference.sex[both], "age": reference.age[both]})
    return metrics.craniofacial.correlations(*sides, people).assign(n=int(both.sum()))


def measure_shapes(kinds: dict[str, Pictures], findings: Findings) -> None:
    """Add the correlations of every S2F kind with F2F, and of the exaggerated one with the true face."""
    for kind in ("s2f_0", "s2f_07", "s2f_14"):
        if kind in kinds:
            found, of = shape_table(kinds[kind], kinds["f2f"]), {"reference": "f2f", "picture": kind}
            _add_correlations(findings, found, **of)
            for how in ("pooled", "adjusted"):
                at = {"experiment": "craniofacial", **of, "how": how}
                median = metrics.craniofacial.median_r(found, how, metrics.face_measures.EXTRA)
                findings.add("median_r", median, **at)
                findings.add("significant", int((found[f"holm_{how}"] < 0.05).sum()), **at)
    _add_correlations(
        findings, shape_table(kinds["s2f_07"], kinds["true"], INDICES), reference="true", picture="s2f_07"
    )
    of = {"experiment": "craniofacial", "reference": "f2f", "picture": "s2f_07"}
    near = 0
    for name, r in shape_table(kinds["s2f_07"], kinds["f2f"])["pooled"].items():
        published = paper.CRANIOFACIAL[key_of(name)]
        findings.add("r", published, **of, source="paper", face_measure=name, how="pooled")
        near += key_of(name) != paper.NOT_PRINTED and abs(r - published) <= TOLERANCE
    findings.add("within_tolerance", near, **of)


def _add_correlations(findings: Findings, found: pd.DataFrame, **pair: str) -> None:
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
