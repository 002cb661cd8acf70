"""What was measured on a GPU, in words and tables for the pages; and what arithmetic says where nothing was."""

from __future__ import annotations

from s2f_lib.training import costs
from s2f_lib.voice_encoder import PAPER_PARAMETERS, preset

PAPER_CLIPS = 3 * 1_700_000  # the published schedule: 3 epochs over 1.7 M pairs
CARD = (800e12, 3e12)  # FLOP/s of bf16 products and bytes/s of a copy: about an H100's, where none was measured
LINKS = {"links of 450 GB/s between cards": 450e9, "a bus of 50 GB/s": 50e9, "a network of 100 Gbit/s": 12.5e9}
COMMAND = "python -m benchmarks.gpu_training"
RUNS = {
    "": "paper's network",
    "standard_": "standard network, as many clips",
    "ablation_rederived_": "shorter run: weights derived anew",
    "ablation_published_": "shorter run: published weights",
    "ablation_l1_": "shorter run: plain L1",
}
COLUMNS = {
    "clips_seen": "clips heard",
    "clips_per_s": "clips/s",
    "angle_deg": "angle (degrees)",
    "top1_percent": "top 1 % (chance 1)",
    "top10_percent": "top 10 % (chance 10)",
    "sex_read": "assigned sex read off (chance 0.5)",
}


def speed(record: dict | None) -> str:
    """One paragraph on ``results/gpu_training.json``: rate, its share of what is possible, the published schedule."""
    if record is None:
        encoder = preset("paper")
        least = PAPER_CLIPS / costs.step_floor(encoder, 256, *CARD).clips_per_s / 3600
        likely = PAPER_CLIPS * costs.training_flops(encoder) / (0.35 * CARD[0]) / 3600
        return (
            f"not run yet: {COMMAND}\nby arithmetic, a card with {CARD[0] / 1e12:.0f} TFLOP/s and {CARD[1] / 1e12:.0f} "
            f"TB/s cannot do the published schedule in less than {least:.1f} hours; at 35 % of its peak: {likely:.1f}"
        )
    told = {
        "clips_per_s": "{:.0f} clips/s",
        "batch_size": "batch {:.0f}",
        "matmul_peak_share": "{:.0%} of the measured matrix peak",
        "floor_share": "{:.0%} of the counted floor",
        "input_pipeline_headroom": "the input pipeline could do {:.1f} times as much",
        "bf16_angle_gap_deg": "bf16 ends {:.2f} degrees from float32",
        "hours_for_paper_schedule": "the published schedule (5.1 million clips) would take {:.1f} hours",
    }
    metrics = record["metrics"]
    parts = [form.format(metrics[name]) for name, form in told.items() if name in metrics]
    return f"{record['device']}, {record['date'][:10]}: " + "; ".join(parts)


def runs(record: dict | None):
    """Every run in ``results/gpu_run.json`` with its scores (pandas.DataFrame, one row per run; empty without any)."""
    import pandas as pd

    rows, metrics = {}, record["metrics"] if record else {}
    for head, words in RUNS.items():
        found = {told: metrics[head + name] for name, told in COLUMNS.items() if head + name in metrics}
        if found:
            rows[words] = found
    return pd.DataFrame(rows, list(COLUMNS.values())).T


def curve(record: dict | None, head: str = ""):
    """Angle and retrieval on held-out people while a run went on (pandas.DataFrame, one row per evaluation)."""
    import pandas as pd

    rows: dict[int, dict] = {}
    for name, value in (record["metrics"] if record else {}).items():
        for key in ("angle_deg", "top10_percent"):
            begin = f"{head}validation_{key}_at_"
            if name.startswith(begin):
                rows.setdefault(int(name.removeprefix(begin).removesuffix("_clips")), {})[COLUMNS[key]] = value
    table = pd.DataFrame.from_dict(rows, orient="index").sort_index()
    return table.rename_axis("clips heard")


def scaling(record: dict | None, cards: int = 8, clips: tuple[int, ...] = (256, 32)):
    """How many times one card several cards are, over different links (pandas.DataFrame, one row per link).

    By arithmetic: a ring all-reduce of float32 gradients, at worst beside the step and at best behind it.

    Parameters
    ----------
    record : dict or None
        ``gpu_training``, whose rate gives the step; without it the step is the counted floor.
    cards : int
    clips : tuple of int
        Clips on each card: a step that is shared out, or one that grows with the cards.
    """
    import pandas as pd

    steps = {n: costs.step_floor(preset("paper"), n, *CARD).seconds for n in clips}
    if record is not None:
        steps = {n: n / record["metrics"]["clips_per_s"] for n in clips}
    rows = {}
    for link, speed in LINKS.items():
        found = {n: costs.scaling(step, PAPER_PARAMETERS, cards, speed) for n, step in steps.items()}
        rows[link] = {"exchange (ms)": round(1e3 * costs.allreduce_seconds(PAPER_PARAMETERS, cards, speed), 1)}
        for n, (_, low, high) in found.items():
            rows[link][f"{n} clips a card"] = f"{cards * low:.1f} to {cards * high:.1f} times"
    return pd.DataFrame(rows).T
