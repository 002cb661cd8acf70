"""Find the speaker's face among N: rank-K, top-K percent, median rank, 1:2 and 1:N matching.

The paper's "R@K" (Table 3) is the share of clips whose face is in the first K *percent* of 5,000: its chance row
says 1.00 % for R@1, and rank 1 of 5,000 by chance is 0.02 %. Here both are given, with the gallery size.

Ties: faces as near as the right one share the places they cover. Every number is the expected one when tied faces
stand in random order, so a constant guess scores exactly chance, and nothing is won by collapsing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from s2f_lib.io import row
from s2f_lib.metrics import inference

METRICS = ("cosine", "l2", "l1")
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
        ones; 1:2 matching is ``match(2)``. NaN where a gallery is smaller than n. ValueError for n below 2.
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
    groups: np.ndarray | None = None,
    block: int = 512,
) -> Ranks:
    """Rank the right face of each query in a gallery.

    Parameters
    ----------
    queries, gallery : np.ndarray, shapes (Q, D) and (N, D)
        Predicted features v_s, and face features.
    truth : np.ndarray of int, shape (Q,), optional
        Row of the right face; by default query i belongs to row i.
    metric : {"cosine", "l2", "l1"}
    groups : np.ndarray, shape (N,), optional
        When given, a query sees only the faces of the group of its right face (same sex, say).
    block : int
        Queries at a time: memory is block x N, never N x N x D.

    Raises
    ------
    ValueError
        Unknown metric, mismatched shapes, NaN, a row of zeros (cosine), or a truth that is no row.

    See Also
    --------
    summary, nearest, s2f_lib.metrics.similarity.angle_deg

    Examples
    --------
    >>> faces = np.eye(4)
    >>> rank(faces[:2] + 0.1, faces, truth=[0, 1]).expected.tolist()
    [1.0, 1.0]
    """
    if metric not in METRICS:
        raise ValueError(f"metric should be one of {', '.join(METRICS)}, got {metric!r}")
    queries, gallery = _prepared(queries, gallery, metric)
    if truth is None and len(queries) != len(gallery):
        raise ValueError(
            f"{len(queries)} queries and a gallery of {len(gallery)}: say with `truth` which row belongs to which query"
        )
    truth = inference.as_column(np.arange(len(queries)) if truth is None else truth, "truth", len(queries)).astype(int)
    if truth.min() < 0 or truth.max() >= len(gallery):
        raise ValueError(
            f"truth points outside the gallery: {truth.min()}..{truth.max()}, the rows are 0..{len(gallery) - 1}"
        )
    if groups is not None:
        groups = np.unique(inference.as_column(groups, "groups", len(gallery)), return_inverse=True)[1]
    closer, tied, size = (np.empty(len(queries), int) for _ in range(3))
    for start in range(0, len(queries), block):
        rows = slice(start, min(start + block, len(queries)))
        d = _distances(queries[rows], gallery, metric)
        right = np.take_along_axis(d, truth[rows, None], axis=1)
        tie = TIE * d.max()
        near, equal = d < right - tie, np.abs(d - right) <= tie
        size[rows] = len(gallery)
        if groups is not None:
            allowed = groups[truth[rows], None] == groups[None]
            near, equal = near & allowed, equal & allowed
            size[rows] = allowed.sum(axis=1)
        closer[rows], tied[rows] = near.sum(axis=1), equal.sum(axis=1) - 1
    return Ranks(closer, tied, size)


def _prepared(queries: np.ndarray, gallery: np.ndarray, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Both checked, float32; of length 1 for "cosine", around the gallery's mean for "l2"."""
    queries, gallery = inference.as_features(queries, "queries"), inference.as_features(gallery, "gallery")
    if queries.shape[1] != gallery.shape[1]:
        raise ValueError(f"queries have {queries.shape[1]} dimensions, the gallery {gallery.shape[1]}")
    queries, gallery = (np.ascontiguousarray(x, dtype=np.float32) for x in (queries, gallery))
    if metric == "cosine":
        return inference.directions(queries, "queries"), inference.directions(gallery, "gallery")
    centre = gallery.mean(axis=0) if metric == "l2" else 0  # distances do not change, and float32 keeps more digits
    return queries - centre, gallery - centre


def _distances(queries: np.ndarray, gallery: np.ndarray, metric: str) -> np.ndarray:
    """Distances (B, N) of what is `_prepared`: "cosine" is 1 - cosine, "l2" the *squared* distance (same order)."""
    if metric == "l1":
        return _l1_kernel()(queries, gallery)
    products = queries @ gallery.T
    if metric == "cosine":
        return 1 - products
    return (queries**2).sum(axis=1, keepdims=True) + (gallery**2).sum(axis=1) - 2 * products


@functools.cache
def _l1_kernel() -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Compile the L1 distances (3 s, once): about ten times faster per core than scipy's and torch's."""
    import numba

    @numba.njit(parallel=True, fastmath=True, error_model="numpy")
    def l1(queries, gallery):
        out = np.zeros((len(queries), len(gallery)), np.float32)
        for tile in numba.prange((len(gallery) + 15) // 16):  # 16 faces stay in the core's cache
            for i in range(len(queries)):
                for j in range(16 * tile, min(16 * tile + 16, len(gallery))):
                    total = np.float32(0)
                    for k in range(queries.shape[1]):
                        total += abs(queries[i, k] - gallery[j, k])
                    out[i, j] = total
        return out

    return l1


def nearest(queries: np.ndarray, gallery: np.ndarray, k: int = 5) -> np.ndarray:
    """Rows of the ``k`` faces with the smallest angle to each query, nearest first; shape (Q, k)."""
    d = _distances(*_prepared(queries, gallery, "cosine"), "cosine")
    return np.argsort(d, axis=1, kind="stable")[:, :k]


def _measured(ranks: Ranks, percents, ks) -> Iterator[tuple[str, int, np.ndarray, float]]:
    """Measure, its k, probability per query, and what a random order gets."""
    for k in percents:
        faces = np.maximum(1, np.floor(ranks.size * k / 100 + 1e-9))
        yield "top_percent", k, ranks.hit_percent(k), float((faces / ranks.size).mean())
    for k in ks:
        yield "recall_at", k, ranks.hit(k), float(np.minimum(1, k / ranks.size).mean())
    for k in (2, 10):
        if (ranks.size >= k).any():
            yield "match", k, ranks.match(k), 1 / k


def rows(ranks: Ranks, people: np.ndarray | None = None, percents=(1, 2, 5, 10), ks=(1, 5, 10), **conditions) -> list:
    """Every retrieval number with its 95 % interval, as rows of a record; ``people`` are who speaks in each query."""
    out = []
    for measure, k, per_query, _ in _measured(ranks, percents, ks):
        kept = np.isfinite(per_query)
        interval = inference.mean_interval(per_query[kept], None if people is None else people[kept])
        out.append(row(measure, interval, **conditions, k=k))
    median = inference.bootstrap(np.median, ranks.expected, people=people, times=500)
    return [*out, row("median_rank", median, **conditions)]


def chance_rows(ranks: Ranks, percents=(1, 2, 5, 10), ks=(1, 5, 10), **conditions) -> list:
    """What a random order would get, as rows of a record."""
    out = [row(measure, chance, **conditions, k=k) for measure, k, _, chance in _measured(ranks, percents, ks)]
    return [*out, row("median_rank", float(np.median((ranks.size + 1) / 2)), **conditions)]


def summary(ranks: Ranks, people: np.ndarray | None = None) -> dict[str, dict]:
    """`rows` and `chance_rows` side by side, for the tables of a page.

    Returns
    -------
    dict of name to dict with ``value``, ``low``, ``high``, ``chance``: ``top1_percent`` ... (shares of clips),
    ``recall_at_1`` ..., ``match_1_2``, ``match_1_10``, ``median_rank``.
    """
    names = {"top_percent": "top{}_percent", "recall_at": "recall_at_{}", "match": "match_1_{}"}
    pairs = zip(rows(ranks, people), chance_rows(ranks), strict=True)
    return {
        names.get(found["measure"], found["measure"]).format(found.get("k")): {
            **{end: found[end] for end in ("value", "low", "high")},
            "chance": chance["value"],
        }
        for found, chance in pairs
    }
