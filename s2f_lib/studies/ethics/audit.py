"""The command that runs the ethics experiments and records them: ``s2f study ethics``.

All of them take about 15 minutes on 2 cores, most of it synthesis, which is cached.
"""

import argparse
import itertools
import time
from pathlib import Path

from s2f_lib import hub, io
from s2f_lib.audio import degrade
from s2f_lib.config import SEEDS
from s2f_lib.evaluate import dataset
from s2f_lib.io import row
from s2f_lib.metrics import labels, retrieval, similarity
from s2f_lib.studies.ethics import experiments, predictions
from s2f_lib.studies.ethics.experiments import RARE, WORLDS, Context

COMMAND = "s2f study ethics --out results/ethics.json"  # with default options


def run(context: Context, encoder) -> list[dict]:
    """Every experiment, as rows of ``results/ethics.json``."""
    rows = [
        row("r", value, experiment="shortcut", attribute="skin", test=test, predictor="ridge baseline")
        for test, value in experiments.shortcut(context).items()
    ]
    for predictor in ("ridge baseline", "oracle"):
        for world, found in experiments.worlds(context, by=predictor).items():
            of = {"experiment": "worlds", "world": world, "predictor": predictor}
            rows += [row("sex_right" if key == "sex" else "r", found[key], **of, attribute=key) for key in found]
        for world in ("confounded", "physiology"):
            of = {"experiment": "language switch", "world": world, "predictor": predictor}
            found = experiments.language_switch(context, world, by=predictor)
            rows += [row("effect", value, **of, attribute=name) for name, value in found.items()]
    rows += _rare(context)
    v_s = dataset.voice_features(
        encoder,
        context.test("physiology"),
        changes=(None, degrade.first_seconds(3.0)),
        workers=context.workers,
        progress=context.progress,
    )[:, 0]
    rows += experiments.identity(context, v_s)
    people, v_f = context.test("physiology").table(), context.test_v_f
    right = ((context.draw(v_s)["male"].to_numpy() > 0.5) == (people["sex"].to_numpy() == "male")).astype(float)
    top10 = retrieval.rank(v_s, v_f).hit_percent(10)
    errors = labels.errors(labels.of_people(people), similarity.angle_deg(v_s, v_f), right, top10)
    for by, table in errors.items():
        rows += labels.group_rows(table, by)
    for world, predictor in itertools.product(WORLDS, ("ridge baseline", "oracle")):
        of = {"experiment": "body", "world": world, "predictor": predictor}
        found = experiments.body(context, world, predictor).items()
        rows += [row("r", value, **of, attribute=name) for name, value in found]
    of = {"experiment": "style", "predictor": "ridge baseline"}
    rows += [row("auc", experiments.style(context, world), **of, world=world) for world in ("style", "physiology")]
    came_true = predictions.check(io.Record(rows)).items()
    return rows + [row("came_true", int(true), experiment="predictions", prediction=key) for key, true in came_true]


def _rare(context: Context) -> list[dict]:
    rows = []
    for corpus, found in experiments.rare_group(context).iterrows():
        of = {"experiment": "rare group", "corpus": corpus}
        for group, column in ((RARE, "group"), ("others", "others")):
            rows.append(row("skin_error", found[f"skin_error_{column}"], **of, group=group))
            rows.append(row("angle", found[f"angle_{column}"], **of, group=group))
        rows.append(row("people", int(found["people_of_group"]), **of, group=RARE))
    return rows


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    p = argparse.ArgumentParser(prog="s2f study ethics", description=__doc__.split("\n\n")[0])
    p.add_argument("--people", type=int, default=1000, help="test people, default 1000")
    p.add_argument("--train-people", type=int, default=1500, help="people the models learn from, default 1500")
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
    encoder = dataset.load_encoder(options.weights)
    io.refuse_uncommitted(Path(options.out))
    context = Context(*networks, options.train_people, options.people, options.workers, not options.quiet)
    rows = run(context, encoder)
    path = io.write_record(
        Path(options.out),
        command=f"{io.command_of(parser(), options)} --out results/{Path(options.out).name}",
        n=options.people,
        rows=rows,
        seeds=[SEEDS["voice"], SEEDS["test"]],
        seconds=time.time() - started,
        notes=(
            f"Ridge baseline: {context.ridge_train} training, {context.ridge_test} test people per world; oracle: "
            f"{options.train_people} training people; errors by group and identity: shipped voice encoder, world "
            "physiology."
        ),
    )
    print(f"{sum(one['value'] for one in rows if one['measure'] == 'came_true')} predictions came true -> {path}")
    return 0
