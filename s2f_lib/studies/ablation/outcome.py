"""What the runs of an ablation show: speed, stability and final scores of every variant, and answers by stated rules.

*Slow* is counted in clips to given angles, at each variant's own best settings. *Stable* is said only of what learns:
the spread over seeds at equal progress, the range of learning rates that work, diverged runs. What is asked of which
two variants, and what is said for which answer, stands in ``presets/ablation_questions.json``; it was fixed before the
runs.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from scipy import stats

from s2f_lib import config, io
from s2f_lib.studies.ablation.design import Choice, Design

LEVEL = 0.05  # of an answer; it is not corrected for the number of questions
ANSWERS = {1.0: "yes", 0.0: "no", 0.5: "undecided"}


class Variant:
    """The runs of one variant, and what follows from them.

    ``found`` are rows of `runs.run`, of both stages and any variant; ``starts`` are angles of an answer that hears
    nothing, by people ("validation", "test") and what a variant aims at.
    """

    def __init__(self, design: Design, name: str, found: Sequence[dict], starts: Mapping[tuple[str, str], float]):
        self.design, self.name = design, name
        self.runs = [row for row in found if row["variant"] == name and row["stage"] == "main"]
        self.good = [row for row in self.runs if not row["failed"]]
        self.failed = len(self.runs) - len(self.good)
        self.searched = design.searched(name, found)
        aims = {"v_f", design.variants[name].target}  # where it starts, and the mean face: the nearer one counts
        self.start = {people: min(starts[people, aim] for aim in aims) for people in ("validation", "test")}

    @property
    def learned(self) -> bool:
        """Whether it ends nearer, by what the design asks for, than an answer that hears nothing."""
        ends = [row["angle"] for row in self.good]
        return bool(ends) and self.start["test"] - float(np.mean(ends)) >= self.design.learned_deg

    @property
    def octaves(self) -> float:
        """Range of learning rates that work, of those tried first in the search."""
        search = self.design.search
        first = {c.rate: c for c in self.searched if c == Choice(c.rate, search.warm_ups[0], search.starts[0])}
        angle_at = {rate: self.searched[choice] for rate, choice in first.items()}
        return octaves(angle_at, self.start["validation"], self.design.learned_deg)

    def clips(self, target: float) -> list[float]:
        """Clips to an angle on validation people, one a run without the failed ones; infinite where it is not met."""
        return [clips_to(row["curve"], target, row["made_from"]["settings"]["batch_size"]) for row in self.good]

    def reaches(self, target: float) -> bool:
        """Whether all of its runs come to an angle."""
        return bool(self.good) and not self.failed and bool(np.isfinite(self.clips(target)).all())

    def spread(self, target: float) -> float:
        """Spread over seeds where their mean first reaches an angle."""
        return spread_at([row["curve"] for row in self.good], target)

    def rows(self) -> list[dict]:
        """Rows of the record: its search, its main runs and their mean curve on validation people."""
        tried = [
            {"measure": "angle", "value": angle, "experiment": "search"}
            | {"rate": choice.rate, "warm_up": choice.warm_up, "start_from_mean": choice.start_from_mean}
            for choice, angle in self.searched.items()
        ]
        main = [row | {"experiment": "main"} for row in self._main()] if self.runs else []
        return [row | {"variant": self.name} for row in (*tried, *main, *self._curve())]

    def _main(self) -> list[dict]:
        out = [
            {"measure": "runs", "value": len(self.runs)},
            {"measure": "failed_runs", "value": self.failed},
            {"measure": "learning_rate", "value": self.runs[0]["choice"]["rate"]},
            {"measure": "rate_octaves", "value": self.octaves},
            {"measure": "learned", "value": self.learned},
        ]
        if not self.good:
            return out
        out += [{"measure": m, **_mean([row[m] for row in self.good])} for m in ("spikes", "gradient_norm_cv")]
        for target in self.design.targets_deg:
            reached = np.isfinite(self.clips(target))
            out.append({"measure": "reached", "value": int(reached.sum()), "target": target})
            if reached.all():
                out.append({"measure": "clips_to_angle", **_mean(self.clips(target)), "target": target})
            if np.isfinite(self.spread(target)):
                out.append({"measure": "angle_spread", "value": self.spread(target), "target": target})
        for i, score in enumerate(self.good[0]["scores"]):
            out.append(score | _mean([row["scores"][i]["value"] for row in self.good]))
        return out

    def _curve(self) -> list[dict]:
        length = min((len(row["curve"]) for row in self.good), default=0)
        size = self.good[0]["made_from"]["settings"]["batch_size"] if self.good else 0
        return [
            {"measure": "angle", "experiment": "curve", "clips": size * self.good[0]["curve"][i][0]}
            | _mean([row["curve"][i][1] for row in self.good])
            for i in range(length)
        ]


def clips_to(curve: Sequence[Sequence[float]], target_deg: float, batch_size: int) -> float:
    """Clips heard until the angle first falls to a target, linear between evaluations; infinite if it never does.

    Examples
    --------
    >>> clips_to([[10, 50.0], [20, 40.0]], 45.0, batch_size=32)
    480.0
    """
    before = None
    for step, angle in curve:
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


def octaves(angle_at: Mapping[float, float], start_deg: float, learned_deg: float) -> float:
    """How wide the range of learning rates is that work, in factors of two, 0 for a single one or none.

    A rate works if its mean angle keeps half of the best one's gain over the start; where the best gain is smaller
    than ``learned_deg``, none does.
    """
    gain = {rate: start_deg - angle for rate, angle in angle_at.items()}
    best = max(gain.values(), default=0.0)
    good = [rate for rate in gain if gain[rate] >= best / 2] if best >= learned_deg else []
    return float(np.log2(max(good) / min(good))) if good else 0.0


def larger(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """Whether a's mean is larger than b's, 1 yes, 0 no, 0.5 undecided, by the exact two-sided p of a permutation test.

    With three seeds each p is at least 0.1, with five 0.008; a side with fewer than two decides nothing, and p is NaN.
    """
    if min(len(a), len(b)) < 2:
        return 0.5, float("nan")
    p = float(stats.permutation_test((a, b), lambda x, y: np.mean(x) - np.mean(y), n_resamples=np.inf).pvalue)
    return (float(np.mean(a) > np.mean(b)) if p < LEVEL else 0.5), p


def farther(a: Variant, b: Variant) -> tuple[float, float]:
    """Whether a ends at a larger angle on test people."""
    return larger([row["angle"] for row in a.good], [row["angle"] for row in b.good])


def slower(a: Variant, b: Variant, which: Callable = min) -> tuple[float, float]:
    """Whether a needs more clips to the nearest given angle (or, with ``max``, the farthest) that both come to.

    Every seed has to come there. If only one of the two comes even to the farthest, the other one is slower.
    """
    targets = a.design.targets_deg
    if shared := [target for target in targets if a.reaches(target) and b.reaches(target)]:
        return larger(*(np.log(variant.clips(which(shared))) for variant in (a, b)))
    easy = max(targets)
    return (0.5 if a.reaches(easy) == b.reaches(easy) else float(b.reaches(easy))), float("nan")


def less_stable(a: Variant, b: Variant) -> tuple[float, float]:
    """Whether more of a's runs diverge; or, of two that learn, its range of rates is narrower and its spread is wider.

    The spread is that at the nearest given angle which both come to with every seed. There is no test of it: p is NaN.
    """
    value = 0.5
    shared = [target for target in a.design.targets_deg if a.reaches(target) and b.reaches(target)]
    if a.failed != b.failed:
        value = float(a.failed > b.failed)
    elif shared and a.learned and b.learned:
        narrower = a.octaves < b.octaves
        wider = a.spread(min(shared)) > b.spread(min(shared))
        value = float(narrower) if narrower == wider else 0.5
    return value, float("nan")


RULES: dict[str, Callable[[Variant, Variant], tuple[float, float]]] = {
    "farther": farther,
    "slower": slower,
    "slower to begin": partial(slower, which=max),
    "less stable": less_stable,
}


def questions() -> list[dict]:
    """What is asked: ``asks``, the ``rule`` of `RULES`, two ``variants``, and what is said for each of `ANSWERS`."""
    return json.loads((config.PRESETS / "ablation_questions.json").read_text(encoding="utf-8"))


def rows(design: Design, found: Sequence[dict], starts: Mapping[tuple[str, str], float]) -> list[dict]:
    """Rows of the record: the starts, every variant's search, main runs and curve, and the answers; see `Variant`."""
    variants = {name: Variant(design, name, found, starts) for name in design.variants}
    out = [
        {"measure": "angle", "value": value, "experiment": "start", "people": people, "aim": aim}
        for (people, aim), value in starts.items()
    ]
    out += [row for variant in variants.values() for row in variant.rows()]
    for question in questions():
        asked = [variants[name] for name in question["variants"] if name in variants and variants[name].runs]
        if len(asked) == 2:
            answer, p = RULES[question["rule"]](*asked)
            where = {"experiment": "verdicts", "question": question["asks"]}
            out += [{"measure": "confirmed", "value": answer, **where}]
            out += [{"measure": "p", "value": p, **where}] * bool(np.isfinite(p))
    return out


def findings(record: io.Record) -> list[str]:
    """What a record answers, a sentence for every question; none for a record without answers of this kind."""
    told = {}
    for name in dict.fromkeys(row["variant"] for row in record.matching(experiment="main", measure="angle")):
        of = {"experiment": "main", "variant": name}
        nothing = "" if record.value("learned", **of) else " [nothing learned]"
        told[name] = f"{record.value('angle', seconds=6, **of):.1f}°{nothing}"
    out = []
    for question in questions():
        where = {"experiment": "verdicts", "question": question["asks"]}
        if set(question["variants"]) <= set(told) and (found := record.matching(measure="confirmed", **where)):
            tested = record.matching(measure="p", **where)
            said = question[ANSWERS[found[0]["value"]]].format(**told)
            out.append(said + "".join(f" (p = {row['value']:.3f})" for row in tested))
    return out


def _mean(values: Sequence[float]) -> dict:
    """Mean, and with more than one value their standard deviation."""
    values = np.asarray(values, float)
    spread = {"sd": float(values.std(ddof=1))} if len(values) > 1 else {}
    return {"value": float(values.mean()), **spread, "n": len(values)}
