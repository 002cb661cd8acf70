"""The real run: a corpus made on this machine's cores, the paper's network trained on it, and what to compare it with.

How long the whole run is, is planned once, by the first call, and kept; each call trains until its own time is over
and leaves a checkpoint, so that the next identical call goes on, bit for bit.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks import gpu_corpus
from benchmarks.gpu_common import CUDA, DEVICE, SAVING, Session, Trial, make_trainer, settings
from benchmarks.gpu_speed import throughput
from s2f_lib import config, hub, training
from s2f_lib.metrics import inference, similarity
from s2f_lib.training import hearing, synthetic, validate
from s2f_lib.training.data import ArraySource
from s2f_lib.training.loop import Trainer
from s2f_lib.training.publish import load_run

# Name of a run -> what differs from the main one. The published weights do not fit our frozen layers, so the main run
# derives them anew (`s2f_lib.losses.rederive_weights`); the ablation says what that changes.
RUNS = {
    "run": {"paper": {}},
    "standard": {"standard": {"encoder": "standard"}},
    "ablation": {
        "ablation_rederived": {},
        "ablation_published": {"rederive_at": 0},
        "ablation_l1": {"loss": "l1", "rederive_at": 0},
    },
}
HELD_OUT = {"validation": 512, "test": 1000}  # speakers; 512 = whole batches, the test is that of other records
EXPECTED = 0.9  # of the measured rate, with evaluations and checkpoints
EVALUATIONS, CHECKPOINTS = 20, 8  # in a run


@dataclass(frozen=True)
class Plan:
    """What the first call decides, for all calls."""

    trial: Trial
    people: int
    steps: int
    ablation_steps: int  # of each of three runs
    learning_rate: float


class OutOfTime(Exception):
    """This call is over; a checkpoint is written."""


class TimedTrainer(Trainer):
    """A trainer that stops at a time of day, with a checkpoint, after one step at least."""

    deadline = float("inf")
    first: int | None = None

    def train_step(self, batch) -> None:
        """As in the base class, or the end."""
        self.first = self.step if self.first is None else self.first
        if self.step > self.first and time.perf_counter() > self.deadline:
            self.checkpoint()
            raise OutOfTime
        super().train_step(batch)


def corpus(session: Session, people: int, workers: int, share: float = 1.0) -> None:
    """Speakers to be tested first, then as many to train on as a share of the time left allows."""
    recogniser, folder = hub.load("synthetic-vgg"), session.folder / "corpus"
    begun, before = time.perf_counter(), gpu_corpus.done(folder, "train")
    deadline = begun + share * (session.left() - 5)
    for name in gpu_corpus.SETS:
        count = people if name == "train" else min(HELD_OUT[name], people)
        made = gpu_corpus.make(folder, name, count, recogniser, workers, deadline)
        print(f"{name}: {made} of {count} clips", flush=True)
    rate = (gpu_corpus.done(folder, "train") - before) / (time.perf_counter() - begun)
    print(f"{rate:.0f} pairs of clip and picture a second, with {workers} processes", flush=True)


def make_plan(session: Session, minutes: float, ablation_minutes: float, learning_rate: float) -> Plan:
    """The plan of an earlier call, or a new one from what was measured."""
    if "plan" in session.state:
        stored = session.state["plan"]
        return Plan(**stored | {"trial": Trial(**stored["trial"])})
    measured = session.state.get("gpu_training", {}).get("metrics", {})
    if "run_trial" in session.state:
        trial, rate = Trial(**session.state["run_trial"]), measured["clips_per_s"]
    else:
        trial = Trial(2 if session.dry else 128, channels_last=True, compile="default" if CUDA else "")
        rate = throughput(trial, session.dry)[0]
    steps = [max(100, int(EXPECTED * rate * 60 * m / trial.batch_size)) for m in (minutes, ablation_minutes / 3)]
    steps = [3, 2] if session.dry else steps
    plan = Plan(trial, gpu_corpus.done(session.folder / "corpus", "train"), *steps, learning_rate)
    session.remember("plan", asdict(plan))
    return plan


def run(session: Session, part: str, plan: Plan) -> bool:
    """Train the runs of a part, or go on with them, and score those that end; True when all have ended."""
    print(f"plan: {plan}", flush=True)
    folder = session.folder / "corpus"
    source = gpu_corpus.load(folder, "train", plan.people)
    validation = gpu_corpus.load(folder, "validation")
    frozen = training.frozen_layers(hub.load("synthetic-vgg"))
    for name, changes in RUNS[part].items():
        if name in session.state.get("ended", []):
            continue
        if session.left() < SAVING and not session.dry:
            print(f"{name}: time was over", flush=True)
            return False
        steps = plan.ablation_steps if part == "ablation" else plan.steps
        trainer = make_trainer(
            plan.trial, run_settings(session, plan, steps, changes), source, kind=TimedTrainer,
            validation=validation, folder=session.folder / name, **frozen,
        )  # fmt: skip
        trainer.deadline = session.deadline - SAVING
        print(f"{name}: {'goes on at' if trainer.resume() else 'begins at'} step {trainer.step} of {steps}", flush=True)
        try:
            trainer.fit(progress=True)
        except OutOfTime:
            keep(session, part, name, plan, trainer.log.lines, {"finished": 0.0})
            return False
        finally:
            free(trainer)
        metrics, intervals = score(session.folder / name, source, gpu_corpus.load(folder, "test"))
        keep(session, part, name, plan, trainer.log.lines, metrics | {"finished": 1.0}, intervals)
        session.remember("ended", [*session.state.get("ended", []), name])
    return True


def run_settings(session: Session, plan: Plan, steps: int, changes: dict) -> training.TrainConfig:
    """Settings of one run; weights of the loss are derived anew early on, unless the changes say otherwise."""
    return settings(
        session.dry,
        max_steps=steps,
        batch_size=plan.trial.batch_size,
        learning_rate=plan.learning_rate,
        random_start=True,
        evaluate_every=max(1, steps // EVALUATIONS),
        checkpoint_every=max(1, steps // CHECKPOINTS),
        log_every=max(1, steps // 100),
        **{"rederive_at": max(1, min(300, steps // 20))} | changes,
    )


def keep(
    session: Session, part: str, name: str, plan: Plan, lines: list[dict], metrics: dict, intervals: dict | None = None
) -> None:
    """Write a run's curve, its rate and its scores into the record, under its name (the main run under none)."""
    head = "" if name == "paper" else f"{name}_"
    batch_size, rates = plan.trial.batch_size, [line for line in lines if line["kind"] == "train"]
    found = {f"{head}{key}": value for key, value in metrics.items()}
    found[f"{head}clips_seen"] = rates[-1]["step"] * batch_size if rates else 0
    found[f"{head}clips_per_s"] = rates[-1]["clips_per_s"] if rates else 0.0
    for line in (line for line in lines if line["kind"] == "validation"):
        for key in ("angle_deg", "top10_percent"):
            found[f"{head}validation_{key}_at_{line['step'] * batch_size}_clips"] = line[key]
    note = (
        f"{plan.people} synthetic speakers, one clip and one picture each; batch {batch_size}, learning rate "
        f"{plan.learning_rate:g}, one cycle; curves on {HELD_OUT['validation']} other speakers, scores on "
        f"{HELD_OUT['test']} more with sentences of their own; chance of top-K percent: K. clips_per_s is over whole "
        "runs, with compiling, evaluations and checkpoints. Unless a name says published or l1, the loss is the "
        "paper's with its weights derived anew."
    )
    tests = {f"{head}{key}": value for key, value in (intervals or {}).items()}
    session.keep("gpu_run", part, found, n=HELD_OUT["test"], intervals=tests, notes=[note] if part == "run" else [])


def score(folder: Path, source: ArraySource, test: ArraySource) -> tuple[dict, dict]:
    """What a finished run is worth on people and sentences nobody trained on, with intervals by bootstrap."""
    encoder, _, _ = load_run(folder)
    v_s, v_f = validate.predict(encoder.to(DEVICE), test, batch_size=50, device=DEVICE), test.v_f.astype(np.float32)
    angle = inference.mean_interval(similarity.angle_deg(v_s, v_f))
    metrics = {f"top{k}_percent": validate.top_percent(v_s, v_f, k) for k in (1, 5, 10)}
    constant = np.broadcast_to(source.mean_feature, v_f.shape)
    metrics |= {
        "angle_deg": angle.estimate,
        "mean_feature_angle_deg": similarity.angle_deg(constant, v_f).mean(),
    }
    known = min(3000, len(source))
    seen = synthetic.PeopleSet(known, 1).population().sex == "male"
    others = synthetic.PeopleSet(len(test), 1, seed=config.SEEDS["test"]).population().sex == "male"
    guess = hearing.axis_of(source.v_f[:known], seen).read(v_s)
    metrics["sex_read"] = float(((guess > np.median(guess)) == others).mean())
    return metrics, {"angle_deg": (angle.low, angle.high)}


def free(trainer: Trainer) -> None:
    """Give the memory of a run back, keep its log."""
    trainer.optimizer.state.clear()
    trainer.encoder.to("cpu")
    if CUDA:
        torch.cuda.empty_cache()
