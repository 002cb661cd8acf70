"""What the runs of an ablation show: speed, stability and final scores of every variant, and verdicts by stated rules.

*Slow* is counted in clips to given angles, at each variant's own best settings. *Stable* is said only of what learns:
the spread over seeds at equal progress, the range of learning rates that work, spikes of the loss, diverged runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from s2f_lib.studies.ablation.design import Design

LEVEL = 0.05  # of a verdict
CLAIMS = ("L1 slower", "L1 less stable", "L1 ends farther")


def clips_to(curve: Sequence[Sequence[float]], target_deg: float, batch_size: int) -> float:
    """Clips heard until the angle first falls to a target, linear between evaluations; infinite if it never does.

    Examples
    --------
    >>> clips_to([[10, 50.0], [20, 40.0]], 45.0, batch_size=32)
    480.0
    """
    before = None
    for step, angle, *_ in curve:
        if angle <= target_deg:
            share = 0.0 if before is None or before[1] == angle else (before[1] - target_deg) / (before[1] - angle)
            start = step if before is None else before[0] + share * (step - before[0])
            return float(batch_size * start)
        before = (step, angle)
    return float("inf")


def spread_at(curves: Sequence[Sequence[Sequence[float]]], target_deg: float) -> float:
    """Standard deviation of the angle over seeds where their mean first reaches a target; NaN if it never does."""
    length = min(len(curve) for curve in curves)
    angles = np.array([[angle for _, angle in curve[:length]] for curve in curves])
    reached = np.flatnonzero(angles.mean(axis=0) <= target_deg)
    return float(angles[:, reached[0]].std(ddof=1)) if len(reached) and len(angles) > 1 else float("nan")


def octaves(angle_at: dict[float, float], start_deg: float, learned_deg: float) -> float:
    """How wide the range of learning rates is that work, in factors of two, 0 for a single one or none.

    A rate works if its mean angle keeps half of the best one's gain over the mean face; where the best gain is smaller
    than ``learned_deg``, none does.
    """
    gain = {rate: start_deg - angle for rate, angle in angle_at.items()}
    best = max(gain.values(), default=0.0)
    good = [rate for rate in gain if gain[rate] >= best / 2] if best >= learned_deg else []
    return float(np.log2(max(good) / min(good))) if good else 0.0


def permutation_p(a: Sequence[float], b: Sequence[float]) -> float:
    """Exact two-sided p of the difference of two means over seeds; with three seeds each it is at least 0.1."""
    everything, n = np.array([*a, *b], float), len(a)
    observed, differences = abs(np.mean(a) - np.mean(b)), []
    for rows in combinations(range(len(everything)), n):
        mask = np.isin(np.arange(len(everything)), rows)
        differences.append(abs(everything[mask].mean() - everything[~mask].mean()))
    return float(np.mean(np.array(differences) >= observed - 1e-12))


def more(a: Sequence[float], b: Sequence[float]) -> float:
    """1 if a's numbers are larger than b's beyond chance, 0 if they are smaller, 0.5 if that is undecided."""
    if min(len(a), len(b)) < 2 or permutation_p(a, b) >= LEVEL:
        return 0.5
    return float(np.mean(a) > np.mean(b))


def rows(design: Design, found: Sequence[dict], start_deg: float) -> list[dict]:
    """Rows of the record: the search, and for every variant speed, stability and scores of its main runs.

    Parameters
    ----------
    design : Design
    found : sequence of dict
        Rows of `runs.run`, of both stages.
    start_deg : float
        Angle of the mean face on the validation people, where every run starts.
    """
    out = [{"measure": "angle", "value": start_deg, "experiment": "start", "predictor": "mean feature"}]
    for variant in design.variants:
        searched = design.searched(variant, found)
        mine = [row for row in found if row["variant"] == variant and row["stage"] == "main"]
        for choice, angle in searched.items():
            tried = {"rate": choice.rate, "warm_up": choice.warm_up, "start_from_mean": choice.start_from_mean}
            out.append({"measure": "angle", "value": angle, "experiment": "search", "variant": variant, **tried})
        if mine:
            first = {c.rate: a for c, a in searched.items() if c.warm_up == design.search.warm_ups[0]}
            width = octaves(first, start_deg, design.learned_deg)
            out += [
                {**row, "experiment": "main", "variant": variant}
                for row in (*_of_variant(design, mine), {"measure": "rate_octaves", "value": width})
            ]
    return [*out, *verdicts(out, found, design)]


def _of_variant(design: Design, mine: list[dict]) -> list[dict]:
    """Rows of one variant's main runs."""
    good = [row for row in mine if not row["failed"]]
    choice = mine[0]["choice"]
    out = [
        {"measure": "runs", "value": len(mine)},
        {"measure": "failed_runs", "value": len(mine) - len(good)},
        {"measure": "learning_rate", "value": choice["rate"]},
    ]
    if not good:
        return out
    for measure in ("spikes", "gradient_norm_cv"):
        out.append({"measure": measure, **_mean([row[measure] for row in good])})
    for target in design.targets_deg:
        clips = [clips_to(row["curve"], target, row["made_from"]["settings"]["batch_size"]) for row in good]
        out.append({"measure": "reached", "value": int(np.isfinite(clips).sum()), "target": target})
        if np.isfinite(clips).all():
            out.append({"measure": "clips_to_angle", **_mean(clips), "target": target})
            spread = spread_at([row["curve"] for row in good], target)
            if np.isfinite(spread):
                out.append({"measure": "angle_spread", "value": spread, "target": target})
    keys = [{k: v for k, v in score.items() if k != "value"} for score in good[0]["scores"]]
    for i, key in enumerate(keys):
        out.append({**key, **_mean([row["scores"][i]["value"] for row in good])})
    return out


def _mean(values: Sequence[float]) -> dict:
    """Mean, and with more than one value their standard deviation."""
    values = np.asarray(values, float)
    spread = {"sd": float(values.std(ddof=1))} if len(values) > 1 else {}
    return {"value": float(values.mean()), **spread, "n": len(values)}


def verdicts(table: Sequence[dict], found: Sequence[dict], design: Design) -> list[dict]:
    """Is plain L1 slower, less stable, and does it end farther off than the paper's loss? 1 yes, 0 no, 0.5 undecided.

    Slower: more clips to the nearest given angle that both reach with every seed, or only L1 fails to reach the
    farthest one. Less stable: among what learns, a narrower range of rates and a wider spread at that angle, or more
    diverged runs; a loss that learns nothing is not called stable. Farther: a larger final angle on test people.
    """
    named = {
        name: [r for r in found if r["variant"] == name and r["stage"] == "main"] for name in ("l1", "full_rederived")
    }
    l1, full = named.values()
    if not l1 or not full:
        return []

    def value(variant: str, measure: str, **where) -> float | None:
        hits = [r["value"] for r in table if r.get("variant") == variant and r["measure"] == measure]
        if where:
            hits = [r["value"] for r in table if {"variant": variant, "measure": measure, **where}.items() <= r.items()]
        return hits[0] if hits else None

    good = {name: [r for r in runs if not r["failed"]] for name, runs in named.items()}
    all_reach = lambda name, target: value(name, "reached", target=target) == len(named[name])  # noqa: E731
    shared = [t for t in design.targets_deg if all_reach("l1", t) and all_reach("full_rederived", t)]
    slower = stable = 0.5
    if shared:
        nearest = min(shared)
        clips = {
            name: [np.log(clips_to(r["curve"], nearest, r["made_from"]["settings"]["batch_size"])) for r in runs]
            for name, runs in good.items()
        }
        slower = more(clips["l1"], clips["full_rederived"])
        narrower = value("l1", "rate_octaves") < value("full_rederived", "rate_octaves")
        spreads = [value(name, "angle_spread", target=nearest) for name in named]
        if None not in spreads:
            wider = spreads[0] > spreads[1]
            stable = float(narrower) if narrower == wider else 0.5
    elif all_reach("full_rederived", max(design.targets_deg)):
        slower = 1.0
    fails = {name: sum(bool(r["failed"]) for r in runs) for name, runs in named.items()}
    if fails["l1"] != fails["full_rederived"]:
        stable = float(fails["l1"] > fails["full_rederived"])
    last = {name: [r["angle"] for r in runs] for name, runs in good.items()}
    answers = zip(CLAIMS, (slower, stable, more(last["l1"], last["full_rederived"])), strict=True)
    return [{"measure": "confirmed", "value": v, "experiment": "verdicts", "question": claim} for claim, v in answers]
