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
    return metrics.similarity.cosines(queries - queries.mean(axis=0), gallery - gallery.mean(axis=0))


def measure(kinds: dict[str, Pictures], speakers: np.ndarray, findings: Findings) -> None:
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
