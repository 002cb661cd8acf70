"""The command that runs the ethics experiments and records them: ``s2f study ethics``.

All of them take about 15 minutes on 2 cores, most of it synthesis, which is cached.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from s2f_lib import hub, io
from s2f_lib.audio import degrade
from s2f_lib.config import SEEDS
from s2f_lib.evaluate import command, data
from s2f_lib.metrics.inference import Interval
from s2f_lib.studies.ethics import experiments, predictions
from s2f_lib.studies.ethics.experiments import RARE, WORLDS, Stage

COMMAND = "s2f study ethics --out results/ethics.json"  # with default options


def run(stage: Stage, encoder) -> tuple[dict, dict]:
    """Every experiment: metrics and intervals of ``results/ethics.json``."""
    metrics: dict[str, float] = {}
    ends: dict[str, list[float]] = {}

    def add(found: dict[str, Interval], suffix: str = "") -> None:
        for name, value in found.items():
            metrics[f"{name}{suffix}"], ends[f"{name}{suffix}"] = value.estimate, [value.low, value.high]

    add(experiments.shortcut(stage))
    for by, label in (("light", ""), ("perfect", "_perfect")):
        for world, found in experiments.worlds(stage, by=by).items():
            add(found, f"_{world}{label}")
        for world in ("confounded", "physiology"):
            found = experiments.language_switch(stage, world, by=by)
            where = "" if world == "confounded" else f"_{world}"
            add({"language_switch_effect": found["skin"]}, where + label)
            add({f"language_switch_{k}": v for k, v in found.items() if k != "skin"}, where + label)
    metrics |= _rare(stage)
    v_s = data.voice_features(
        encoder,
        stage.test("physiology"),
        changes=(None, degrade.first_seconds(3.0)),
        workers=stage.workers,
        progress=stage.progress,
    )[:, 0]
    add(experiments.identity(stage, v_s))
    _errors(stage, v_s, metrics, ends)
    for world in WORLDS:
        add(experiments.body(stage, world), f"_{world}")
    add({f"style_auc_{world}": experiments.style(stage, world) for world in ("style", "physiology")})
    for key, came_true in predictions.check(metrics, ends).items():
        metrics[f"prediction_{key}"] = int(came_true)
    return metrics, ends


def _rare(stage: Stage) -> dict[str, float]:
    metrics = {}
    for corpus, row in experiments.rare_group(stage).iterrows():
        for column, value in row.items():
            key = column.replace("_group", f"_{RARE.lower()}") if column != "people_of_group" else "people_d"
            metrics[f"{key}_{corpus.replace(' ', '_')}"] = float(value)
    return metrics


def _errors(stage: Stage, v_s: np.ndarray, metrics: dict, ends: dict) -> None:
    for name, table in experiments.errors_by_group(stage, v_s).items():
        for group, row in table.iterrows():
            key = f"error_by_group_{name}_{group}".lower()
            metrics[f"{key}_n"] = int(row["n"])
            columns = {"angle_deg": ("low", "high"), "sex_right": ("sex_low", "sex_high")}
            for column, (low, high) in columns.items():
                metrics[f"{key}_{column}"] = row[column]
                if np.isfinite(row[low]):  # a group of one person has no interval
                    ends[f"{key}_{column}"] = [row[low], row[high]]
        metrics[f"error_gap_{name}_angle_deg"] = float(np.ptp(table["angle_deg"]))


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    p = argparse.ArgumentParser(prog="s2f study ethics", description=__doc__.split("\n\n")[0])
    p.add_argument("--people", type=int, default=1000, help="test people, default 1000")
    p.add_argument("--train-people", type=int, default=1500, help="people the listeners learn from, default 1500")
    p.add_argument("--weights", default="voice-encoder-synthetic", help="encoder: a name of the hub or a file")
    p.add_argument("--out", default="results/ethics.json", help="record to write")
    p.add_argument("--workers", type=int, default=2, help="processes that render and speak, default 2")
    p.add_argument("--quiet", action="store_true", help="no progress bars")
    return p


def main(arguments: list[str] | None = None) -> int:
    """Run the audit and write its record; returns the exit status."""
    options = parser().parse_args(arguments)
    started = time.time()
    networks = [hub.load(name) for name in ("synthetic-vgg", "decoder-synthetic-vgg", "attributes-synthetic")]
    encoder = command.load_encoder(options.weights)
    stage = Stage(*networks, options.train_people, options.people, options.workers, not options.quiet)
    metrics, ends = run(stage, encoder)
    with command.results_in(options.out) as name:
        path = io.write_record(
            name,
            command=f"{io.command_of(parser(), options)} --out results/{name}.json",
            n=options.people,
            metrics=metrics,
            intervals=ends,
            seeds=[SEEDS["voice"], SEEDS["test"]],
            seconds=time.time() - started,
            notes=(
                f"Light listener ({stage.light_train} training, {stage.light_test} test people per world) unless a "
                f"name ends in _perfect ({options.train_people} training people); "
                "errors by group and identity: shipped voice encoder, world physiology; prediction_*: 1 = came true."
            ),
        )
    print(f"{sum(v for k, v in metrics.items() if k.startswith('prediction_'))} predictions came true -> {path}")
    return 0
