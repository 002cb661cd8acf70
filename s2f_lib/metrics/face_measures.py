"""Craniofacial measures of a face from its 68 landmarks: the twelve of the paper, and one it left out.

The paper names them after Merler et al. (2019, "Diversity in Faces") and gives no formulas. These definitions were
found by measuring the authors' own published pictures: with dlib's landmarks, eleven of the twelve correlations come
out within 0.09 of the printed table (the vermilion height index is the exception).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

Measure = Callable[[np.ndarray], np.ndarray]
EXTRA = ("philtrum width",)  # in the authors' raw file (r = 0.038, not significant), not in the printed table


def _between(i: int, j: int) -> Measure:
    """Distance of two points (0-based numbers of the iBUG scheme)."""
    return lambda points: np.linalg.norm(points[..., i, :] - points[..., j, :], axis=-1)


def _mean(*parts: Measure) -> Measure:
    return lambda points: sum(part(points) for part in parts) / len(parts)


def _ratio(upper: Measure, lower: Measure) -> Measure:
    return lambda points: upper(points) / lower(points)


def _area(*corners: int) -> Measure:
    """Area of a polygon (shoelace formula)."""

    def area(points: np.ndarray) -> np.ndarray:
        x, y = np.moveaxis(points[..., list(corners), :], -1, 0)
        return 0.5 * np.abs((x * np.roll(y, -1, -1) - y * np.roll(x, -1, -1)).sum(axis=-1))

    return area


JAW_WIDTH, NOSE_HEIGHT, NOSE_WIDTH, MOUTH_WIDTH = _between(4, 12), _between(27, 33), _between(31, 35), _between(48, 54)
MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "upper lip height": _between(33, 62),
        "lateral upper lip heights": _mean(_between(31, 50), _between(35, 52)),
        "jaw width": JAW_WIDTH,
        "nose height": NOSE_HEIGHT,
        "nose width": NOSE_WIDTH,
        "labio oral region": MOUTH_WIDTH,
        "mandibular index": _ratio(_between(66, 8), JAW_WIDTH),
        "intercanthal index": _ratio(_between(39, 42), _between(36, 45)),
        "nasal index": _ratio(NOSE_WIDTH, NOSE_HEIGHT),
        "vermilion height index": _ratio(_between(51, 62), _between(66, 57)),
        "mouth face width index": _ratio(MOUTH_WIDTH, _between(1, 15)),
        "nose area": _area(27, 31, 33, 35),
        "philtrum width": _between(50, 52),
    }
)
PAPER_MEASURES = tuple(name for name in MEASURES if name not in EXTRA)


def craniofacial(landmarks: np.ndarray) -> dict[str, np.ndarray]:
    """All measures of many faces.

    Parameters
    ----------
    landmarks : np.ndarray, shape (..., 68, 2), float
        In any unit, but the same for all faces: pixels of equally large pictures, or parts of the picture. Nothing is
        rescaled, because in canonical pictures the size of a face is part of what is measured.

    Returns
    -------
    dict of str to np.ndarray, shape (...)
        Lengths in the unit that came in, areas in its square, indices as plain ratios.

    Raises
    ------
    ValueError
        If there are not 68 points in the plane.

    Examples
    --------
    >>> points = np.zeros((68, 2))
    >>> points[[48, 54, 1, 15]] = (3, 9), (7, 9), (0, 5), (8, 5)
    >>> with np.errstate(invalid="ignore"):
    ...     float(craniofacial(points)["mouth face width index"])
    0.5
    """
    landmarks = np.asarray(landmarks, dtype=np.float64)
    if landmarks.ndim < 2 or landmarks.shape[-2:] != (68, 2):
        raise ValueError(f"expected the 68 landmarks of the iBUG scheme, (..., 68, 2), got {landmarks.shape}")
    return {name: measure(landmarks) for name, measure in MEASURES.items()}


def craniofacial_correlations(predicted: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """Pearson correlation of each of the paper's twelve measures between two sets of landmarks (N, 68, 2)."""
    a, b = craniofacial(predicted), craniofacial(true)
    return {name: float(np.corrcoef(a[name], b[name])[0, 1]) for name in PAPER_MEASURES}
