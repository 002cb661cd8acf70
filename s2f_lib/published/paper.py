"""What the authors published: matrices, correlations and ranks, and what follows from them by arithmetic.

Sources: Oh et al. (2019), figures 4 and 5, tables 2 and 3; the supplement's figure 4 and its retrieval page; the file
``stat_0770001_f2f_DEST_0770001_Face_exg0.7DEST.txt`` of the project page, which holds the craniofacial table unrounded.
All of it is aggregate: no value belongs to a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from s2f_lib.metrics.retrieval import Ranks

# Craniofacial correlation of F2F with S2F (exaggerated 0.7, DEST landmarks). Philtrum width was computed but is not
# in the printed table.
CRANIOFACIAL: Mapping[str, float] = MappingProxyType(
    {
        "upper_lip_height": 0.156,
        "lateral_upper_lip_heights": 0.264,
        "jaw_width": 0.107,
        "nose_height": 0.142,
        "nose_width": 0.353,
        "labio_oral_region": 0.165,
        "mandibular_index": 0.196,
        "intercanthal_index": 0.210,
        "nasal_index": 0.376,
        "vermilion_height_index": 0.294,
        "mouth_face_width_index": 0.204,
        "nose_area": 0.283,
        "philtrum_width": 0.038,
    }
)
NOT_PRINTED = "philtrum_width"

# Labels by Face++ on the original pictures: how many of the 4,986 (gender, ethnicity), and in percent (age).
GENDER_COUNTS = MappingProxyType({"female": 1867, "male": 3119})
ETHNICITY_COUNTS = MappingProxyType({"Asian": 1443, "Black": 603, "India": 435, "White": 2505})
AGE_PERCENT = MappingProxyType(
    {"10": 1.95, "20": 29.36, "30": 27.52, "40": 18.79, "50": 12.21, "60": 6.46, "70": 3.35 + 0.36}
)

# Rows: label of the original picture; columns: label of the reconstruction; rows sum to 1 (rounded by the authors).
GENDER = MappingProxyType(
    {"s2f": np.array([[0.94, 0.06], [0.06, 0.94]]), "f2f": np.array([[0.89, 0.11], [0.02, 0.98]])}
)
ETHNICITY = MappingProxyType(
    {
        "s2f": np.array(
            [[0.50, 0.03, 0.10, 0.38], [0.27, 0.11, 0.13, 0.49], [0.27, 0.13, 0.13, 0.48], [0.30, 0.04, 0.05, 0.61]]
        ),
        "f2f": np.array(
            [[0.71, 0.01, 0.03, 0.24], [0.21, 0.41, 0.12, 0.25], [0.20, 0.12, 0.55, 0.14], [0.15, 0.02, 0.06, 0.76]]
        ),
    }
)
AGE = MappingProxyType(
    {
        "s2f": np.array(
            [
                [0.00, 0.38, 0.38, 0.23, 0.00, 0.00, 0.00],
                [0.00, 0.26, 0.38, 0.24, 0.09, 0.02, 0.01],
                [0.00, 0.21, 0.32, 0.32, 0.10, 0.03, 0.02],
                [0.00, 0.09, 0.32, 0.33, 0.18, 0.05, 0.02],
                [0.00, 0.07, 0.24, 0.27, 0.30, 0.08, 0.05],
                [0.00, 0.05, 0.12, 0.33, 0.28, 0.16, 0.05],
                [0.00, 0.08, 0.14, 0.20, 0.14, 0.10, 0.35],
            ]
        ),
        "f2f": np.array(
            [
                [0.00, 0.85, 0.00, 0.15, 0.00, 0.00, 0.00],
                [0.03, 0.58, 0.29, 0.07, 0.03, 0.00, 0.00],
                [0.00, 0.25, 0.42, 0.23, 0.07, 0.02, 0.00],
                [0.00, 0.07, 0.27, 0.46, 0.18, 0.01, 0.01],
                [0.00, 0.00, 0.08, 0.25, 0.52, 0.12, 0.03],
                [0.00, 0.01, 0.04, 0.10, 0.34, 0.40, 0.11],
                [0.00, 0.00, 0.00, 0.02, 0.10, 0.27, 0.61],
            ]
        ),
    }
)

# Table 2, 5,000 random AVSpeech test clips: mean and spread over clips. The scale of L2 and L1 is not stated.
SIMILARITY = MappingProxyType(
    {
        3: {"angle_deg": (48.43, 6.01), "l2": (0.19, 0.03), "l1": (9.81, 1.74)},
        6: {"angle_deg": (45.75, 5.09), "l2": (0.18, 0.02), "l1": (9.42, 1.54)},
    }
)
# Table 3, percent of clips; "R@K" is the first K percent of 5,000.
RETRIEVAL = MappingProxyType(
    {
        (3, "l2"): {1: 5.86, 2: 10.02, 5: 18.98, 10: 28.92},
        (3, "l1"): {1: 6.22, 2: 9.92, 5: 18.94, 10: 28.70},
        (3, "cosine"): {1: 8.54, 2: 13.64, 5: 24.80, 10: 38.54},
        (6, "l2"): {1: 8.28, 2: 13.66, 5: 24.66, 10: 35.84},
        (6, "l1"): {1: 8.34, 2: 13.70, 5: 24.66, 10: 36.22},
        (6, "cosine"): {1: 10.92, 2: 17.00, 5: 30.60, 10: 45.82},
    }
)
GALLERY = 5000  # faces in the authors' retrieval
# "Actual rank: n/5000" of the supplement's 100 randomly drawn queries, sorted.
TRUE_RANKS = (
    2, 6, 11, 11, 14, 17, 23, 26, 44, 48, 65, 93, 98, 108, 109, 121, 130, 137, 138, 140, 140, 140, 166, 166, 166,
    194, 200, 202, 215, 234, 238, 257, 271, 274, 283, 283, 313, 324, 324, 361, 364, 382, 395, 421, 444, 447, 504,
    511, 527, 541, 559, 566, 584, 590, 611, 639, 658, 660, 708, 730, 741, 782, 847, 873, 881, 952, 1017, 1025,
    1074, 1133, 1192, 1212, 1213, 1219, 1234, 1249, 1373, 1506, 1511, 1666, 1702, 1726, 1821, 1846, 1872, 2012,
    2116, 2123, 2302, 2383, 2404, 2496, 2513, 2725, 2898, 2903, 3323, 3781, 4438, 4849,
)  # fmt: skip


def counts(percent: Mapping[str, float], total: int = 4986) -> dict[str, float]:
    """Percentages of a whole turned into (fractional) counts."""
    scale = total / sum(percent.values())
    return {name: value * scale for name, value in percent.items()}


def agreement(matrix: np.ndarray, rows: Mapping[str, float], within: int = 0) -> float:
    """Share of pictures whose label is kept: a row-normalised matrix weighted by how many pictures each row has.

    Parameters
    ----------
    matrix : np.ndarray, shape (C, C)
        Rows the label of the original, columns of the reconstruction, in shares of the row. The published rows
        sum to 1 only within their rounding; the entries are taken as they were printed.
    rows : mapping of C names to counts
    within : int
        0 for the same class; 1 counts neighbours too (age decades).

    Returns
    -------
    float, in [0, 1]

    Examples
    --------
    >>> round(agreement(GENDER["s2f"], GENDER_COUNTS), 3)
    0.94
    """
    matrix = _checked(matrix, rows)
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
    age = counts(AGE_PERCENT)
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


def _checked(matrix: np.ndarray, rows: Mapping[str, float]) -> np.ndarray:
    """The matrix as floats, if it has a row and a column per class and rows that sum to 1 within rounding."""
    matrix = np.asarray(matrix, dtype=float)
    if matrix.shape != (len(rows), len(rows)):
        raise ValueError(f"the matrix is {matrix.shape}, wanted {len(rows)} x {len(rows)}: {', '.join(rows)}")
    if np.abs(matrix.sum(axis=1) - 1).max() > 0.03:
        raise ValueError("the rows of the matrix should sum to 1; divide counts by the sum of their row first")
    return matrix
