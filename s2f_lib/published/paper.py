"""What the authors published: matrices, correlations and ranks, and what follows from them by arithmetic.

Sources: Oh et al. (2019), figures 4 and 5, tables 2 and 3; the supplement's figure 4 and its retrieval page; the file
``stat_0770001_f2f_DEST_0770001_Face_exg0.7DEST.txt`` of the project page, which holds the craniofacial table unrounded.
All of it is aggregate: no value belongs to a person.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from s2f_lib.io.files import read_json
from s2f_lib.metrics.retrieval import Ranks

_PRINTED = read_json(Path(__file__).parent / "data" / "paper.json")

# Craniofacial correlation of F2F with S2F (exaggerated 0.7, DEST landmarks). Philtrum width was computed but is not
# in the printed table.
CRANIOFACIAL: dict[str, float] = _PRINTED["craniofacial"]
NOT_PRINTED = "philtrum_width"
# Labels by Face++ on the original pictures: how many of the 4,986 (gender, ethnicity), and in percent (age).
GENDER_COUNTS, ETHNICITY_COUNTS, AGE_PERCENT = (
    _PRINTED[name] for name in ("gender_counts", "ethnicity_counts", "age_percent")
)
# Rows: label of the original picture; columns: label of the reconstruction; rows sum to 1 (rounded by the authors).
GENDER, ETHNICITY, AGE = (
    {kind: np.array(rows) for kind, rows in _PRINTED[name].items()} for name in ("gender", "ethnicity", "age")
)
# Table 2, 5,000 random AVSpeech test clips: mean and spread over clips. The scale of L2 and L1 is not stated.
SIMILARITY: dict[int, dict[str, tuple[float, float]]] = {3: {}, 6: {}}
for _row in _PRINTED["similarity"]:
    SIMILARITY[_row["seconds"]][_row["measure"]] = (_row["mean"], _row["sd"])
# Table 3, percent of clips; "R@K" is the first K percent of 5,000.
RETRIEVAL = {
    (row["seconds"], row["metric"]): {int(k): percent for k, percent in row["found"].items()}
    for row in _PRINTED["retrieval"]
}
GALLERY = 5000  # faces in the authors' retrieval
# "Actual rank: n/5000" of the supplement's 100 randomly drawn queries, sorted.
TRUE_RANKS = tuple(_PRINTED["true_ranks"])


def agreement(matrix: np.ndarray, rows: Mapping[str, float], within: int = 0) -> float:
    """Share of pictures whose label is kept: a row-normalised matrix (C, C) weighted by how many pictures a row has.

    Rows are labels of the original, columns of the reconstruction. The published rows sum to 1 only within their
    rounding; the entries are taken as they were printed. ``within`` 1 counts neighbouring classes too (age decades).
    ValueError for a matrix of another size, or whose rows are not shares.

    Examples
    --------
    >>> round(agreement(GENDER["s2f"], GENDER_COUNTS), 3)
    0.94
    """
    matrix = np.asarray(matrix, dtype=float)
    if matrix.shape != (len(rows), len(rows)):
        raise ValueError(f"the matrix is {matrix.shape}, wanted {len(rows)} x {len(rows)}: {', '.join(rows)}")
    if np.abs(matrix.sum(axis=1) - 1).max() > 0.03:
        raise ValueError("the rows of the matrix should sum to 1; divide counts by the sum of their row first")
    weight = np.array(list(rows.values()), dtype=float)
    near = np.abs(np.subtract.outer(np.arange(len(rows)), np.arange(len(rows)))) <= within
    return float((matrix * near).sum(axis=1) @ weight / weight.sum())


def balanced(matrix: np.ndarray) -> float:
    """Mean over classes of the share kept: balanced accuracy, which a constant answer cannot raise above 1 / C."""
    return float(np.diag(np.asarray(matrix, dtype=float)).mean())


def constant_predictor(rows: Mapping[str, float], within: int = 0) -> tuple[str, float]:
    """The best answer that ignores the input, and the share it gets right.

    Examples
    --------
    >>> constant_predictor(GENDER_COUNTS)[0]
    'male'
    """
    names, weight = list(rows), np.array(list(rows.values()), dtype=float)
    hits = [weight[max(0, i - within) : i + within + 1].sum() / weight.sum() for i in range(len(names))]
    best = int(np.argmax(hits))
    return names[best], float(hits[best])


def in_gallery(ranks: np.ndarray) -> Ranks:
    """Printed ranks, 1 is first, as the ranks of the evaluation; nothing is known of ties.

    Examples
    --------
    >>> in_gallery(np.array([1, 60])).top_percent(1)
    0.5
    """
    closer = np.asarray(ranks) - 1
    return Ranks(closer, np.zeros_like(closer), np.full_like(closer, GALLERY))


def recall_in_smaller_gallery(ranks: np.ndarray, k: int, size: int = 100, gallery: int = GALLERY) -> float:
    """Share of queries expected among the first ``k`` if only ``size`` random faces of the gallery were there.

    With rank r in the full gallery, the number of better faces among the ``size - 1`` others drawn is
    hypergeometric; the hit needs fewer than ``k`` of them.
    """
    from scipy.stats import hypergeom

    better = np.asarray(ranks) - 1
    return float(hypergeom.cdf(k - 1, gallery - 1, better, size - 1).mean())


def table() -> list[dict]:
    """One row per attribute: agreement of S2F and F2F, balanced accuracy, and the best constant predictor."""
    scale = 4986 / sum(AGE_PERCENT.values())
    age = {decade: percent * scale for decade, percent in AGE_PERCENT.items()}
    kinds = [
        ("gender", GENDER, GENDER_COUNTS, 0),
        ("ethnicity", ETHNICITY, ETHNICITY_COUNTS, 0),
        ("age_same_decade", AGE, age, 0),
        ("age_within_one", AGE, age, 1),
    ]
    rows = []
    for name, matrices, classes, within in kinds:
        answer, hit = constant_predictor(classes, within)
        row = {"attribute": name, "constant": hit, "constant_answer": answer}
        for kind in ("s2f", "f2f"):
            row[kind] = agreement(matrices[kind], classes, within)
            row[f"{kind}_balanced"] = balanced(matrices[kind]) if not within else float("nan")
        rows.append(row)
    return rows
