"""How fast a GPU trains the paper's network: what was measured, and what arithmetic says where nothing was."""

import pandas as pd

from s2f_lib.io import Record
from s2f_lib.training.roofline import allreduce_seconds, efficiency, roofline, training_flops
from s2f_lib.voice_encoder import PAPER_PARAMETERS, preset

PAPER_CLIPS = 3 * 1_700_000  # the published schedule: 3 epochs over 1.7 M pairs
CARD = (800e12, 3e12)  # FLOP/s of bf16 products and bytes/s of a copy: about an H100's, where none was measured
LINKS = {"links of 450 GB/s between cards": 450e9, "a bus of 50 GB/s": 50e9, "a network of 100 Gbit/s": 12.5e9}
CARDS, CLIPS = 8, (256, 32)  # clips on each: a step that grows with the cards, or one that is shared out
SPEED = (  # what is said of results/gpu_training.json: measure, conditions, words
    ("rate", {"what": "clips", "step": None}, "{:.0f} clips/s"),
    ("share_of_peak", {"of": "matrix products"}, "{:.0%} of the measured matrix peak"),
    ("share_of_peak", {"of": "counted floor"}, "{:.0%} of the counted floor"),
    ("headroom", {}, "the input pipeline could do {:.1f} times as much"),
)


def speed(record: Record | None) -> str:
    """One paragraph on ``results/gpu_training.json``: rate, its share of what is possible, the published schedule."""
    if record is None:
        encoder = preset("paper")
        least = PAPER_CLIPS / 256 * roofline(encoder, 256, *CARD) / 3600
        likely = PAPER_CLIPS * training_flops(encoder) / (0.35 * CARD[0]) / 3600
        return (
            f"not run yet: python -m benchmarks.gpu_training\nby arithmetic, a card with {CARD[0] / 1e12:.0f} TFLOP/s "
            f"and {CARD[1] / 1e12:.0f} TB/s cannot do the published schedule in less than {least:.1f} hours; at 35 % "
            f"of its peak: {likely:.1f}"
        )
    found = [(form, record.matching(measure=measure, preset="paper", **where)) for measure, where, form in SPEED]
    parts = [form.format(rows[0]["value"]) for form, rows in found if rows]
    hours = PAPER_CLIPS / _rate(record) / 3600
    parts.append(f"the published schedule (5.1 million clips) would take {hours:.1f} hours")
    return f"{record.device}, {record.date[:10]}: " + "; ".join(parts)


def scaling(record: Record | None) -> pd.DataFrame:
    """How many times one card `CARDS` cards are, over different links (pandas.DataFrame, one row per link).

    By arithmetic: a ring all-reduce of float32 gradients, at worst beside the step and at best behind it. The step is
    that of the record ``gpu_training``, or the counted floor.
    """
    steps = {n: roofline(preset("paper"), n, *CARD) if record is None else n / _rate(record) for n in CLIPS}
    rows = {}
    for link, bytes_per_s in LINKS.items():
        exchange = allreduce_seconds(PAPER_PARAMETERS, CARDS, bytes_per_s)
        rows[link] = {"exchange (ms)": round(1e3 * exchange, 1)}
        for n, step in steps.items():
            low, high = efficiency(step, exchange)
            rows[link][f"{n} clips a card"] = f"{CARDS * low:.1f} to {CARDS * high:.1f} times"
    return pd.DataFrame(rows).T


def _rate(record: Record) -> float:
    return record.value("rate", what="clips", preset="paper", step=None)
