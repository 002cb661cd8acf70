"""Find the speaker's face among N: rank-K, top-K percent, median rank, 1:2 and 1:N matching.

The paper's "R@K" (Table 3) is the share of clips whose face is in the first K *percent* of 5,000: its chance row
says 1.00 % for R@1, and rank 1 of 5,000 by chance is 0.02 %. Here both are given, with the gallery size.

Ties: faces as near as the right one share the places they cover. Every number is the expected one when tied faces
stand in random order, so a constant guess scores exactly chance, and nothing is won by collapsing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from s2f_lib.metrics import checks, inference
from s2f_lib.metrics.pairwise import METRICS, pairwise_distance

TIE = 5e-7  # two distances closer than this, relative to the largest, are a tie: below it is float32 rounding


@dataclass(frozen=True)
class Ranks:
    """Where the right face stands for each query.

    ``closer`` faces are nearer than the right one, ``tied`` others are as near, ``size`` is the
    gallery of that query; each an int array of shape (Q,).
    """

    closer: np.ndarray
    tied: np.ndarray
    size: np.ndarray

    def __len__(self) -> int:
        return len(self.closer)

    @property
    def expected(self) -> np.ndarray:
        """Expected rank of each query, 1 is first; shape (Q,)."""
        return 1 + self.closer + self.tied / 2

    def hit(self, k: int | np.ndarray) -> np.ndarray:
        """Probability that the right face is among the first ``k``, per query; 0 or 1 where nothing is tied."""
        if np.min(k) < 1:
            raise ValueError(f"k counts faces from 1, got {np.min(k)}")
        return np.clip((k - self.closer) / (self.tied + 1), 0, 1)

    def hit_percent(self, percent: float) -> np.ndarray:
        """Probability of standing in the first ``percent`` % of the gallery, per query (at least one face)."""
        if not 0 < percent <= 100:
            raise ValueError(f"percent should lie in (0, 100], got {percent}")
        return self.hit(np.maximum(1, np.floor(self.size * percent / 100 + 1e-9).astype(int)))

    def recall(self, k: int) -> float:
        """Recall at rank k: share of queries whose face is among the first k."""
        return float(self.hit(k).mean())

    def top_percent(self, percent: float) -> float:
        """The paper's R@K, as a share: top ``percent`` % of the gallery."""
        return float(self.hit_percent(percent).mean())

    def median(self) -> float:
        """Median rank."""
        return float(np.median(self.expected))

    def match(self, n: int = 2) -> np.ndarray:
        """Probability of picking the right face among itself and ``n - 1`` drawn others, per query.

        This is the expectation over *all* possible lineups, from the rank, instead of the noisy score of some random
        ones; 1:2 matching is ``match(2)``. NaN where a gallery is smaller than n.
        """
        if n < 2:
            raise ValueError(f"a lineup has at least two faces, got n = {n}")
        others = self.size - 1
        out = np.zeros(len(self))
        for t in range(int(self.tied.max()) + 1):  # tied faces stand in random order: before the right one are 0..tied
            farther = others - self.closer - t
            share = np.ones(len(self))
            for j in range(n - 1):
                share *= np.clip((farther - j) / np.maximum(others - j, 1), 0, None)
            out += np.where(t <= self.tied, share / (self.tied + 1), 0)
        return np.where(others >= n - 1, out, np.nan)

    def where(self, mask: np.ndarray) -> Ranks:
        """The queries of ``mask`` only."""
        return Ranks(self.closer[mask], self.tied[mask], self.size[mask])


def rank(
    queries: np.ndarray,
    gallery: np.ndarray,
    truth: np.ndarray | None = None,
    metric: str = "cosine",
    query_groups: np.ndarray | None = None,
    gallery_groups: np.ndarray | None = None,
    block: int = 512,
) -> Ranks:
    """Rank the right face of each query in a gallery.

    Parameters
    ----------
    queries : np.ndarray, shape (Q, D)
        Predicted features v_s.
    gallery : np.ndarray, shape (N, D)
        Face features.
    truth : np.ndarray of int, shape (Q,), optional
        Row of the right face; by default query i belongs to row i.
    metric : {"cosine", "l2", "l1"}
    query_groups, gallery_groups : np.ndarray, shapes (Q,) and (N,), optional
        When given, a query sees only the faces of its own group (same sex, say). ``gallery_groups`` defaults to
        ``query_groups`` when both sides have as many rows.
    block : int
        Queries at a time: memory is block x N, never N x N x D.

    Raises
    ------
    ValueError
        Unknown metric, mismatched shapes, NaN, a truth that is no row, or a right face outside its own group.

    Examples
    --------
    >>> faces = np.eye(4)
    >>> rank(faces[:2] + 0.1, faces, truth=[0, 1]).expected.tolist()
    [1.0, 1.0]
    """
    queries, gallery = checks.features(queries, "queries"), checks.features(gallery, "gallery")
    if metric not in METRICS:
        raise ValueError(f"metric should be one of {', '.join(METRICS)}, got {metric!r}")
    if queries.shape[1] != gallery.shape[1]:
        raise ValueError(f"queries have {queries.shape[1]} dimensions, the gallery {gallery.shape[1]}")
    truth = _truth(truth, len(queries), len(gallery))
    same = _same_group(query_groups, gallery_groups, truth, len(queries), len(gallery))
    distance = pairwise_distance(gallery, metric)
    closer, tied, size = (np.empty(len(queries), int) for _ in range(3))
    for start in range(0, len(queries), block):
        rows = slice(start, min(start + block, len(queries)))
        d = distance(queries[rows])
        right = np.take_along_axis(d, truth[rows, None], axis=1)
        tie = TIE * d.max()
        near, equal = d < right - tie, np.abs(d - right) <= tie
        if same is not None:
            allowed = same[0][rows, None] == same[1][None]
            near, equal = near & allowed, equal & allowed
            size[rows] = allowed.sum(axis=1)
        else:
            size[rows] = len(gallery)
        closer[rows], tied[rows] = near.sum(axis=1), equal.sum(axis=1) - 1
    return Ranks(closer, tied, size)


def _truth(truth: np.ndarray | None, n_queries: int, n_gallery: int) -> np.ndarray:
    if truth is None:
        if n_queries != n_gallery:
            raise ValueError(
                f"{n_queries} queries and a gallery of {n_gallery}: say with `truth` which row belongs to which query"
            )
        return np.arange(n_queries)
    truth = checks.column(truth, "truth", n_queries).astype(int)
    if truth.min() < 0 or truth.max() >= n_gallery:
        raise ValueError(
            f"truth points outside the gallery: {truth.min()}..{truth.max()}, the rows are 0..{n_gallery - 1}"
        )
    return truth


def _same_group(query_groups, gallery_groups, truth, n_queries, n_gallery):
    if query_groups is None:
        return None
    query_groups = checks.column(query_groups, "query_groups", n_queries)
    if gallery_groups is None:
        gallery_groups = query_groups
    gallery_groups = checks.column(gallery_groups, "gallery_groups", n_gallery)
    wrong = gallery_groups[truth] != query_groups
    if wrong.any():
        raise ValueError(f"the right face of {wrong.sum()} queries is not in the group of its query")
    return query_groups, gallery_groups


def nearest(queries: np.ndarray, gallery: np.ndarray, k: int = 5, metric: str = "cosine") -> np.ndarray:
    """Rows of the ``k`` nearest faces of each query, nearest first; shape (Q, k)."""
    queries, gallery = checks.features(queries, "queries"), checks.features(gallery, "gallery")
    d = pairwise_distance(gallery, metric)(queries)
    return np.argsort(d, axis=1, kind="stable")[:, :k]


def summary(ranks: Ranks, people: np.ndarray | None = None, percents=(1, 2, 5, 10), ks=(1, 5, 10)) -> dict[str, dict]:
    """Every retrieval number with its 95 % interval and its chance level.

    Returns
    -------
    dict of name to dict with ``value``, ``low``, ``high``, ``chance``: ``top1_percent`` ... (shares of clips),
    ``recall_at_1`` ..., ``median_rank``, ``match_1_2``, ``match_1_10``.
    """
    out = {}

    def add(name: str, per_query: np.ndarray, chance: float) -> None:
        kept = np.isfinite(per_query)
        interval = inference.mean_interval(per_query[kept], None if people is None else people[kept])
        out[name] = {"value": interval.estimate, "low": interval.low, "high": interval.high, "chance": chance}

    for percent in percents:
        faces = np.maximum(1, np.floor(ranks.size * percent / 100 + 1e-9))
        add(f"top{percent}_percent", ranks.hit_percent(percent), float((faces / ranks.size).mean()))
    for k in ks:
        add(f"recall_at_{k}", ranks.hit(k), float(np.minimum(1, k / ranks.size).mean()))
    for n in (2, 10):
        if (ranks.size >= n).any():
            add(f"match_1_{n}", ranks.match(n), 1 / n)
    median = inference.bootstrap(np.median, ranks.expected, people=people, times=500)
    chance = float(np.median((ranks.size + 1) / 2))
    out["median_rank"] = {"value": median.estimate, "low": median.low, "high": median.high, "chance": chance}
    return out
