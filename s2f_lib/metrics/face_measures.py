"""Craniofacial measures of a face from its 68 landmarks: the twelve of the paper, and one it left out.

The paper names them after Merler et al. (2019, "Diversity in Faces") and gives no formulas. These definitions were
found by measuring the authors' own published pictures: with dlib's landmarks, eleven of the twelve correlations come
out within 0.09 of the printed table (the vermilion height index is the exception).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

EXTRA = ("philtrum width",)  # in the authors' raw file (r = 0.038, not significant), not in the printed table


def _between(points: np.ndarray, i: int, j: int) -> np.ndarray:
    """Distance of two points (0-based numbers of the iBUG scheme)."""
    return np.linalg.norm(points[..., i, :] - points[..., j, :], axis=-1)


def _area(points: np.ndarray, *corners: int) -> np.ndarray:
    """Area of a polygon (shoelace formula)."""
    x, y = np.moveaxis(points[..., list(corners), :], -1, 0)
    return 0.5 * np.abs((x * np.roll(y, -1, -1) - y * np.roll(x, -1, -1)).sum(axis=-1))


MEASURES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = MappingProxyType(
    {
        "upper lip height": lambda p: _between(p, 33, 62),
        "lateral upper lip heights": lambda p: (_between(p, 31, 50) + _between(p, 35, 52)) / 2,
        "jaw width": lambda p: _between(p, 4, 12),
        "nose height": lambda p: _between(p, 27, 33),
        "nose width": lambda p: _between(p, 31, 35),
        "labio oral region": lambda p: _between(p, 48, 54),
        "mandibular index": lambda p: _between(p, 66, 8) / _between(p, 4, 12),
        "intercanthal index": lambda p: _between(p, 39, 42) / _between(p, 36, 45),
        "nasal index": lambda p: _between(p, 31, 35) / _between(p, 27, 33),
        "vermilion height index": lambda p: _between(p, 51, 62) / _between(p, 66, 57),
        "mouth face width index": lambda p: _between(p, 48, 54) / _between(p, 1, 15),
        "nose area": lambda p: _area(p, 27, 31, 33, 35),
        "philtrum width": lambda p: _between(p, 50, 52),
    }
)
PAPER_MEASURES = tuple(name for name in MEASURES if name not in EXTRA)


def craniofacial(landmarks: np.ndarray) -> dict[str, np.ndarray]:
    """All measures of many faces, (..., 68, 2) -> (...): lengths, areas in the square of their unit, plain ratios.

    Landmarks are in any unit, but the same for all faces: pixels of equally large pictures, or parts of the picture.
    Nothing is rescaled, because in canonical pictures the size of a face is part of what is measured. ValueError for
    another number of points.

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
