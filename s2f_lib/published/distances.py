"""How near are the authors' pictures to the true face, for a recogniser that only sees the pictures?

The paper compares its predicted 4096-D feature itself; that was not published. Here the feature is taken again from
the decoded picture, by another recogniser. So the numbers say what is left in the picture, and are lower.
"""

from __future__ import annotations

import numpy as np

from s2f_lib import metrics
from s2f_lib.published import matching
from s2f_lib.published.findings import Findings
from s2f_lib.published.pictures import Pictures

S2F = ("s2f_0", "s2f_07", "s2f_14")
PAIRS = (("true", "f2f"), *(("true", kind) for kind in S2F), *(("f2f", kind) for kind in S2F))
BINS = 100  # of the histogram of ranks: one per percent of the gallery


def centred_cosine(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Cosines (Q, N) after each side's own mean is taken out.

    Decoded pictures share a look of their own, which shifts all of them the same way; the mean takes that shift out.
    It uses no knowledge of which picture belongs to whom.
    """
    return (
        metrics.similarity.unit(queries - queries.mean(axis=0))
        @ metrics.similarity.unit(gallery - gallery.mean(axis=0)).T
    )


def measure(kinds: dict[str, Pictures], speakers: np.ndarray, findings: Findings) -> None:
    """Add angles, distances and retrieval for every pair of kinds that is there."""
    for reference, query in PAIRS:
        if reference not in kinds or query not in kinds:
            continue
        both = kinds[reference].ok & kinds[query].ok
        a, b, who = kinds[query].feature[both], kinds[reference].feature[both], speakers[both]
        other = metrics.similarity.mismatched(len(a), people=who)
        name = f"{reference}_{query}"
        findings.add(f"angle_deg_{name}", metrics.similarity.angle_deg(a, b).mean())
        findings.add(f"angle_deg_{name}_random_pair", metrics.similarity.angle_deg(a, b[other]).mean())
        findings.add(f"l2_{name}", np.linalg.norm(a - b, axis=1).mean())
        findings.add(f"l2_{name}_random_pair", np.linalg.norm(a - b[other], axis=1).mean())
        found = matching.ranks(centred_cosine(a, b), who)
        findings.update(f"retrieval_{name}", matching.intervals(matching.measures([found]), who))
        findings.add(f"retrieval_{name}_median_rank_percent", 100 * found.median() / found.size.mean())
        findings.tables[f"ranks_{name}"] = rank_histogram(found)
        findings.tables[f"gallery_{name}"] = len(a)


def rank_histogram(found: matching.Ranks, bins: int = BINS) -> list[int]:
    """Queries whose own face stands in the first, second ... hundredth percent of the gallery."""
    share = (found.expected - 0.5) / found.size
    return np.bincount(np.minimum((share * bins).astype(int), bins - 1), minlength=bins).tolist()


def cumulative_percent(histogram: list[int]) -> np.ndarray:
    """Percent of queries in the first 1, 2 ... 100 percent of the gallery; the ranks' histogram summed up."""
    histogram = np.asarray(histogram, float)
    return 100 * histogram.cumsum() / histogram.sum()


def spread(pictures: Pictures) -> float:
    """Mean distance of the recogniser's features from their mean: how different the faces are from each other."""
    features = pictures.feature[pictures.ok]
    return float(np.linalg.norm(features - features.mean(axis=0), axis=1).mean())
