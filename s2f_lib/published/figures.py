"""The figures of page 6: from records and aggregate tables only, so the same with and without the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from s2f_lib.book.plotting import COLORS
from s2f_lib.metrics.craniofacial import fisher_interval
from s2f_lib.published import distances, paper, shapes


def craniofacial(rows: Mapping[str, Mapping[str, float]]):
    """Published and measured correlation per measure, ours with Fisher's interval.

    Parameters
    ----------
    rows : mapping of measure to its row of the table ``craniofacial_f2f_s2f_07`` (``pooled``, ``adjusted``, ``n``)
    """
    from matplotlib import pyplot as plt

    names = sorted(rows, key=lambda name: -paper.CRANIOFACIAL[shapes.key_of(name)])
    place = np.arange(len(names))
    figure, axis = plt.subplots(figsize=(6.4, 4.2))
    for i, name in zip(place, names, strict=True):
        axis.plot(fisher_interval(rows[name]["pooled"], int(rows[name]["n"])), [i, i], color=COLORS["voice"], lw=1.4)
    published = [paper.CRANIOFACIAL[shapes.key_of(name)] for name in names]
    axis.plot(published, place, "D", color=COLORS["published"], label="published (DEST landmarks)")
    axis.plot(
        [rows[name]["pooled"] for name in names], place, "o", color=COLORS["voice"], label="measured again (dlib)"
    )
    adjusted = [rows[name]["adjusted"] for name in names]
    axis.plot(adjusted, place, "|", color=COLORS["demographics"], ms=11, mew=2, label="gender and age label taken out")
    axis.axvline(0, color=COLORS["chance"], linestyle="--", linewidth=1.2)
    axis.set_yticks(place, names)
    axis.invert_yaxis()
    axis.set(
        xlabel="Pearson correlation, F2F against S2F", title=f"Craniofacial table (N = {int(rows[names[0]]['n'])})"
    )
    figure.legend(loc="outside lower center", ncols=3, fontsize=8)
    return figure


def three_readings(ranks: Sequence[int] = paper.TRUE_RANKS):
    """Table 3 of the paper beside three readings of "R@K" from the 100 published true ranks."""
    from matplotlib import pyplot as plt

    k = np.array([1, 2, 5, 10])
    figure, axis = plt.subplots()
    axis.plot(
        k, list(paper.RECALL_TABLE_3.values()), "D", color=COLORS["published"], ms=8, label='Table 3, "R@K"', zorder=3
    )
    readings = {
        "true rank in the first K percent of 5,000": [paper.top_percent_recall(ranks, x) for x in k],
        "expected in a gallery of 100": [paper.recall_in_smaller_gallery(ranks, x) for x in k],
        "true rank in the first K of 5,000": [paper.recall_at_rank(ranks, x) for x in k],
    }
    for (name, values), color in zip(readings.items(), (COLORS["voice"], COLORS["face"], COLORS["L1"]), strict=True):
        axis.plot(k, values, "o-", color=color, label=name)
    axis.plot(k, k, "--", color=COLORS["chance"], label="chance, if K is a percentage")
    axis.set(xlabel="K", ylabel="Queries found (%)", title=f"What R@K means (N = {len(ranks)} queries)", xticks=k)
    axis.legend(fontsize=8)
    return figure


def retrieval_curves(histograms: Mapping[str, Sequence[int]], title: str = ""):
    """Share of clips whose own face is found, against how much of the gallery is looked at.

    Parameters
    ----------
    histograms : mapping of name to counts per percent of the gallery (100 bins)
    """
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots()
    share = np.arange(1, distances.BINS + 1)
    for name, histogram in histograms.items():
        axis.plot(share, distances.cumulative_percent(list(histogram)), label=name)
    axis.plot(share, share, "--", color=COLORS["chance"], label="chance")
    axis.set(xscale="log", xlabel="First percent of the gallery (%)", ylabel="Clips found (%)", title=title)
    axis.set_xticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
    axis.legend(fontsize=8)
    return figure


def contest(record: Mapping, names: Mapping[str, str], measure: str, xlabel: str, chance: float):
    """One measure of every contestant with its interval; ``names`` maps the record's names to words."""
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(6.4, 0.4 * len(names) + 1.2))
    for i, key in enumerate(names):
        value, interval = record["metrics"][f"{key}_{measure}"], record["intervals"][f"{key}_{measure}"]
        color = COLORS["published"] if key.startswith("authors") else COLORS["voice"]
        axis.plot(interval, [i, i], color=color, lw=1.6)
        axis.plot(value, i, "o", color=color)
        axis.annotate(f"{value:.3g}", (interval[1], i), (5, 0), textcoords="offset points", va="center", fontsize=9)
    axis.axvline(chance, color=COLORS["chance"], linestyle="--", label=f"chance: {chance:g}")
    axis.set_yticks(range(len(names)), list(names.values()))
    axis.invert_yaxis()
    axis.margins(x=0.12, y=0.1)
    axis.set(xlabel=xlabel, title=f"N = {record['n']} clips; 95 % intervals over speakers")
    axis.legend(fontsize=8)
    return figure


def learning_curve(curve: Mapping[str, Sequence[float]], authors: float):
    """Top-10 % of the best head against the number of training pairs, beside the authors' pictures."""
    from matplotlib import pyplot as plt

    sizes = [int(size) for size in curve]
    figure, axis = plt.subplots()
    axis.plot(
        sizes, [values[1] for values in curve.values()], "o-", color=COLORS["voice"], label="head on a speaker feature"
    )
    axis.axhline(authors, color=COLORS["published"], linestyle=":", label="the authors' pictures (1.7 million pairs)")
    axis.axhline(10, color=COLORS["chance"], linestyle="--", label="chance")
    axis.set(
        xscale="log", xlabel="Training pairs", ylabel="Found in the first 10 % (%)", title="How far do a few pairs go?"
    )
    axis.set_xticks(sizes, [str(size) for size in sizes])
    axis.minorticks_off()
    axis.legend(fontsize=8)
    return figure
