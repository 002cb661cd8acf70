"""How fast are 5,000 queries in a gallery of 5,000 features of 4,096 dimensions? Beside scikit-learn's distances.

python -m benchmarks.retrieval            # 1 minute on 2 cores; writes results/retrieval.json
python -m benchmarks.retrieval --quick    # 500 x 500, writes nothing
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from s2f_lib import io
from s2f_lib.io import row
from s2f_lib.metrics import retrieval


def timed(function, *arguments, **options) -> tuple[float, object]:
    """Seconds of one call, and what it gave."""
    started = time.perf_counter()
    out = function(*arguments, **options)
    return time.perf_counter() - started, out


def by_sklearn(queries: np.ndarray, gallery: np.ndarray, metric: str, block: int = 500) -> np.ndarray:
    """Ranks by scikit-learn's distances, in blocks: the independent answer."""
    from sklearn.metrics import pairwise_distances

    name = {"cosine": "cosine", "l2": "euclidean", "l1": "manhattan"}[metric]
    ranks = []
    for start in range(0, len(queries), block):
        d = pairwise_distances(queries[start : start + block], gallery, metric=name)
        own = d[np.arange(len(d)), start + np.arange(len(d))]
        ranks.append(1 + (d < own[:, None]).sum(axis=1))
    return np.concatenate(ranks)


def main() -> None:
    """Measure, print, and write the record unless ``--quick``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="500 x 500 instead of 5,000 x 5,000; writes nothing")
    n = 500 if parser.parse_args().quick else 5000
    started = time.perf_counter()
    rng = np.random.default_rng(0)
    faces = np.maximum(rng.standard_normal((n, 4096), dtype=np.float32) + 0.5, 0)
    voices = faces + 3 * rng.standard_normal((n, 4096), dtype=np.float32)
    retrieval.rank(voices[:64], faces[:64], metric="l1")  # compile once
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows = []
    for metric in ("cosine", "l2", "l1"):
        seconds, ranks = timed(retrieval.rank, voices, faces, metric=metric)
        part = min(n, 500)
        theirs, expected = timed(by_sklearn, voices[:part], faces[:part], metric)
        small = retrieval.rank(voices[:part], faces[:part], metric=metric).expected
        rows += [
            row("duration", seconds, metric=metric, by="s2f_lib", gallery=n),
            row("duration", theirs, metric=metric, by="scikit-learn", gallery=part),
            row("same_result", (small == expected).mean(), metric=metric),
        ]
        print(f"{metric:7s} {n} x {n}: {seconds:6.2f} s; top 10 % {ranks.top_percent(10):.3f}")
    rows.append(row("memory", (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024))
    for found in rows:
        print(found)
    if n == 5000:
        seconds = time.perf_counter() - started
        path = io.write_record(
            "retrieval", command="python -m benchmarks.retrieval", n=n, rows=rows, seeds=[0], seconds=seconds
        )
        print(f"-> {path}")


if __name__ == "__main__":
    main()
