"""Does a face feature know who somebody is? Verification and identification on pictures of known people."""

from __future__ import annotations

import numpy as np

__all__ = ["auc", "auc_of_people", "cosine", "matched_pairs", "rank_of_own", "verification_auc"]


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine similarity of every row of `a` (N, D) with every row of `b` (M, D): (N, M)."""
    a = a / np.maximum(np.linalg.norm(a, axis=1, keepdims=True), 1e-12)
    return a @ (b / np.maximum(np.linalg.norm(b, axis=1, keepdims=True), 1e-12)).T


def auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Chance that a positive value is higher than a negative one, ties counted half: the area under the ROC curve.

    Raises
    ------
    ValueError
        If there is none of one kind.

    Examples
    --------
    >>> auc(np.array([2.0, 3.0]), np.array([1.0, 2.5]))
    0.75
    """
    if not len(positive) or not len(negative):
        raise ValueError(
            f"an AUC needs values of both kinds, got {len(positive)} positive and {len(negative)} negative"
        )
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([positive, negative]))[: len(positive)]
    return float((ranks.sum() - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative)))


def auc_of_people(similarity: np.ndarray, who: np.ndarray, groups: np.ndarray | None = None) -> float:
    """AUC of people with themselves against people with others; some may have been drawn twice, by a bootstrap.

    Parameters
    ----------
    similarity : np.ndarray, shape (n, n)
        Of every person's first feature with every person's second one; own pairs on the diagonal.
    who : np.ndarray, shape (m,), int
        Rows of the people that count. Nobody is compared with himself as another.
    groups : np.ndarray, shape (n,), optional
        Only people of one group are compared.

    Raises
    ------
    ValueError
        If no two different people can be compared.
    """
    other = who[:, None] != who
    if groups is not None:
        other &= groups[who][:, None] == groups[who]
    first, second = np.nonzero(other)
    return auc(similarity[who, who], similarity[who[first], who[second]])


def matched_pairs(sex: np.ndarray, group: np.ndarray, age: np.ndarray, years: float = 10.0) -> np.ndarray:
    """Which pairs of people agree in sex and group and differ by at most `years` of age: (n, n) bool."""
    same = (sex[:, None] == sex[None]) & (group[:, None] == group[None])
    return same & (np.abs(age[:, None] - age[None]) <= years)


def verification_auc(features: np.ndarray, among: np.ndarray | None = None) -> float:
    """AUC of telling two pictures of one person from pictures of two people, by cosine similarity.

    Parameters
    ----------
    features : np.ndarray, shape (n, items, D)
        Several pictures of each of n people.
    among : np.ndarray, shape (n, n), bool, optional
        Pairs of different people that count; by default all. With `matched_pairs` the comparison is only with people
        of the same sex, group and about the same age.

    Returns
    -------
    float
        0.5 by chance, 1 at best.
    """
    n, items = features.shape[:2]
    similarity = cosine(*[features.reshape(n * items, -1)] * 2).reshape(n, items, n, items).transpose(0, 2, 1, 3)
    upper = np.triu(np.ones((n, n), bool), 1) & (True if among is None else among)
    first, second = np.triu_indices(items, 1)
    return auc(similarity[np.arange(n), np.arange(n)][:, first, second].ravel(), similarity[upper].ravel())


def rank_of_own(probes: np.ndarray, gallery: np.ndarray, metric: str = "cosine") -> np.ndarray:
    """Place of the own entry among all gallery entries, 1 = first.

    Parameters
    ----------
    probes : np.ndarray, shape (n, D)
    gallery : np.ndarray, shape (n, D)
        Row i belongs to the person of probe i.
    metric : {"cosine", "euclidean"}
        dlib's features are made for Euclidean distance, VGG-Face's are compared by their angle.

    Returns
    -------
    np.ndarray, shape (n,), int
        1 + the number of other entries that are at least as similar.
    """
    if probes.shape != gallery.shape:
        raise ValueError(f"probes and gallery must pair up row by row, got {probes.shape} and {gallery.shape}")
    if metric == "cosine":
        similarity = cosine(probes, gallery)
    elif metric == "euclidean":
        from scipy.spatial.distance import cdist

        similarity = -cdist(probes, gallery)
    else:
        raise ValueError(f"metric must be 'cosine' or 'euclidean', got {metric!r}")
    own = np.diag(similarity)[:, None]
    return (similarity >= own).sum(axis=1)
