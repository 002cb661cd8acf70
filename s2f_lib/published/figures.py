"""The figures of page 6: from records and aggregate tables only, so the same with and without the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from s2f_lib.book.plotting import COLORS
from s2f_lib.io import Record
from s2f_lib.published import distances, paper


def craniofacial(record: Record):
    """Published and measured correlation of F2F with the exaggerated S2F picture, by face measure, with intervals."""
    from matplotlib import pyplot as plt

    of = {"measure": "r", "experiment": "craniofacial", "reference": "f2f", "picture": "s2f_07"}
    ours = {row["face_measure"]: row for row in record.matching(**of, how="pooled", source=None)}
    published = {row["face_measure"]: row["value"] for row in record.matching(**of, source="paper")}
    adjusted = {row["face_measure"]: row["value"] for row in record.matching(**of, how="adjusted")}
    names = sorted(ours, key=lambda name: -published[name])
    place, n = np.arange(len(names)), ours[names[0]]["n"]
    figure, axis = plt.subplots(figsize=(6.4, 4.2))
    for i, name in zip(place, names, strict=True):
        axis.plot([ours[name]["low"], ours[name]["high"]], [i, i], color=COLORS["voice"], lw=1.4)
    series = (
        (published, "D", COLORS["published"], "published (DEST landmarks)", {}),
        ({name: row["value"] for name, row in ours.items()}, "o", COLORS["voice"], "measured again (dlib)", {}),
        (adjusted, "|", COLORS["demographics"], "gender and age label taken out", {"ms": 11, "mew": 2}),
    )
    for values, marker, color, label, style in series:
        axis.plot([values[name] for name in names], place, marker, color=color, label=label, **style)
    axis.axvline(0, color=COLORS["chance"], linestyle="--", linewidth=1.2)
    axis.set_yticks(place, names)
    axis.invert_yaxis()
    axis.set(xlabel="Pearson correlation, F2F against S2F", title=f"Craniofacial table (N = {n})")
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
        "true rank in the first K percent of 5,000": [paper.in_gallery(ranks).top_percent(x) for x in k],
        "expected in a gallery of 100": [paper.recall_in_smaller_gallery(ranks, x) for x in k],
        "true rank in the first K of 5,000": [paper.in_gallery(ranks).recall(x) for x in k],
    }
    for (name, values), color in zip(readings.items(), (COLORS["voice"], COLORS["face"], COLORS["L1"]), strict=True):
        axis.plot(k, 100 * np.array(values), "o-", color=color, label=name)
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
        axis.plot(share, 100 * distances.cumulative(list(histogram)), label=name)
    axis.plot(share, share, "--", color=COLORS["chance"], label="chance")
    axis.set(xscale="log", xlabel="First percent of the gallery (%)", ylabel="Clips found (%)", title=title)
    axis.set_xticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
    axis.legend(fontsize=8)
    return figure


def contest(record: Record, names: Mapping[str, str], xlabel: str, within: str | None = None):
    """1:2 matching of every contestant with its interval; ``names`` maps the record's names to words."""
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(6.4, 0.4 * len(names) + 1.2))
    for i, key in enumerate(names):
        row = record.row("match", experiment="contest", contestant=key, k=2, within=within)
        color = COLORS["published"] if key.startswith("authors") else COLORS["voice"]
        axis.plot([row["low"], row["high"]], [i, i], color=color, lw=1.6)
        axis.plot(row["value"], i, "o", color=color)
        text = f"{row['value']:.3g}"
        axis.annotate(text, (row["high"], i), (5, 0), textcoords="offset points", va="center", fontsize=9)
    axis.axvline(0.5, color=COLORS["chance"], linestyle="--", label="chance: 0.5")
    axis.set_yticks(range(len(names)), list(names.values()))
    axis.invert_yaxis()
    axis.margins(x=0.12, y=0.1)
    axis.set(xlabel=xlabel, title=f"N = {record.n} clips; 95 % intervals over speakers")
    axis.legend(fontsize=8)
    return figure


def learning_curve(record: Record):
    """First 10 % of the best head against the number of training pairs, beside the authors' pictures."""
    from matplotlib import pyplot as plt

    curve = record.select(measure="top_percent", experiment="learning curve")
    authors = record.value("top_percent", experiment="contest", contestant="authors", within=None, k=10)
    figure, axis = plt.subplots()
    axis.plot(curve["clips"], 100 * curve["value"], "o-", color=COLORS["voice"], label="head on a speaker feature")
    label = "the authors' pictures (1.7 million pairs)"
    axis.axhline(100 * authors, color=COLORS["published"], linestyle=":", label=label)
    axis.axhline(10, color=COLORS["chance"], linestyle="--", label="chance")
    axis.set(
        xscale="log", xlabel="Training pairs", ylabel="Found in the first 10 % (%)", title="How far do a few pairs go?"
    )
    axis.set_xticks(curve["clips"], [str(size) for size in curve["clips"]])
    axis.minorticks_off()
    axis.legend(fontsize=8)
    return figure
