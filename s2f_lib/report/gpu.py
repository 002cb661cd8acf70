"""What was measured on a GPU, in words and tables for the pages; and what arithmetic says where nothing was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from s2f_lib.io import Record
from s2f_lib.training.roofline import allreduce_seconds, efficiency, roofline, training_flops
from s2f_lib.voice_encoder import PAPER_PARAMETERS, preset

if TYPE_CHECKING:
    import pandas as pd

PAPER_CLIPS = 3 * 1_700_000  # the published schedule: 3 epochs over 1.7 M pairs
CARD = (800e12, 3e12)  # FLOP/s of bf16 products and bytes/s of a copy: about an H100's, where none was measured
LINKS = {"links of 450 GB/s between cards": 450e9, "a bus of 50 GB/s": 50e9, "a network of 100 Gbit/s": 12.5e9}
CARDS, CLIPS = 8, (256, 32)  # clips on each: a step that grows with the cards, or one that is shared out
COMMAND = "python -m benchmarks.gpu_training"
SPEED = (  # what is said of results/gpu_training.json: measure, conditions, words
    ("rate", {"what": "clips", "step": None}, "{:.0f} clips/s"),
    ("share_of_peak", {"of": "matrix products"}, "{:.0%} of the measured matrix peak"),
    ("share_of_peak", {"of": "counted floor"}, "{:.0%} of the counted floor"),
    ("headroom", {}, "the input pipeline could do {:.1f} times as much"),
)
COLUMNS = {  # of a run in results/gpu_run.json
    "clips heard": {"measure": "clips_seen"},
    "angle (degrees)": {"measure": "angle", "split": "test"},
    "top 1 % (chance 0.01)": {"measure": "top_percent", "k": 1, "split": "test"},
    "top 10 % (chance 0.1)": {"measure": "top_percent", "k": 10, "split": "test"},
    "assigned sex read off (chance 0.5)": {"measure": "sex_right"},
}


def speed(record: Record | None) -> str:
    """One paragraph on ``results/gpu_training.json``: rate, its share of what is possible, the published schedule."""
    if record is None:
        encoder = preset("paper")
        least = PAPER_CLIPS / 256 * roofline(encoder, 256, *CARD) / 3600
        likely = PAPER_CLIPS * training_flops(encoder) / (0.35 * CARD[0]) / 3600
        return (
            f"not run yet: {COMMAND}\nby arithmetic, a card with {CARD[0] / 1e12:.0f} TFLOP/s and {CARD[1] / 1e12:.0f} "
            f"TB/s cannot do the published schedule in less than {least:.1f} hours; at 35 % of its peak: {likely:.1f}"
        )
    parts = [
        form.format(row["value"])
        for measure, where, form in SPEED
        for row in record.matching(measure=measure, preset="paper", **where)[:1]
    ]
    rate = record.value("rate", what="clips", preset="paper", step=None)
    parts.append(f"the published schedule (5.1 million clips) would take {PAPER_CLIPS / rate / 3600:.1f} hours")
    return f"{record.device}, {record.date[:10]}: " + "; ".join(parts)


def runs(record: Record | None) -> pd.DataFrame:
    """Every run in ``results/gpu_run.json`` with its scores (pandas.DataFrame, one row per run; empty without any)."""
    import pandas as pd

    rows: dict[str, dict] = {}
    for words, where in COLUMNS.items():
        for row in record.matching(**where) if record else ():
            rows.setdefault(row["run"], {})[words] = row["value"]
    return pd.DataFrame(rows, list(COLUMNS)).T


def curve(record: Record | None, run: str = "paper") -> pd.DataFrame:
    """Angle and retrieval on held-out people while a run went on (pandas.DataFrame, one row per evaluation)."""
    import pandas as pd

    rows: dict[int, dict] = {}
    for row in record.matching(run=run, split="validation", measure=["angle", "top_percent"]) if record else ():
        words = "angle (degrees)" if row["measure"] == "angle" else "top 10 % (chance 0.1)"
        rows.setdefault(int(row["clips"]), {})[words] = row["value"]
    return pd.DataFrame.from_dict(rows, orient="index").sort_index().rename_axis("clips heard")


def scaling(record: Record | None) -> pd.DataFrame:
    """How many times one card `CARDS` cards are, over different links (pandas.DataFrame, one row per link).

    By arithmetic: a ring all-reduce of float32 gradients, at worst beside the step and at best behind it.

    Parameters
    ----------
    record : Record or None
        ``gpu_training``, whose rate gives the step; without it the step is the counted floor.
    """
    import pandas as pd

    steps = {n: roofline(preset("paper"), n, *CARD) for n in CLIPS}
    if record is not None:
        rate = record.value("rate", what="clips", preset="paper", step=None)
        steps = {n: n / rate for n in CLIPS}
    rows = {}
    for link, speed in LINKS.items():
        exchange = allreduce_seconds(PAPER_PARAMETERS, CARDS, speed)
        rows[link] = {"exchange (ms)": round(1e3 * exchange, 1)}
        for n, step in steps.items():
            low, high = efficiency(step, exchange)
            rows[link][f"{n} clips a card"] = f"{CARDS * low:.1f} to {CARDS * high:.1f} times"
    return pd.DataFrame(rows).T
