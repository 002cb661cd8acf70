"""Train the paper's network on synthetic people with a GPU, and test it on others: a run as the paper's, recorded.

    python -m benchmarks.gpu_run --people 100000 --out runs/gpu         # hours; writes results/gpu_run.json
    python -m benchmarks.gpu_run --preset quick --people 40 --steps 4 --record run.json --out runs/tiny

The run is one of ``s2f train``: it may be stopped and goes on with the same command. Its test people say sentences
that nobody says in training.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from s2f_lib import io, training
from s2f_lib.config import SEEDS
from s2f_lib.metrics import retrieval, similarity
from s2f_lib.training import people_set, validate

BATCH = 256


def main(arguments: list[str] | None = None) -> None:
    """Make the clips, train, test and write the record."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu_run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", default="paper", help="of the voice encoder (default %(default)s)")
    parser.add_argument("--loss", default="paper", help="name of a loss (default %(default)s)")
    parser.add_argument("--people", type=int, default=100_000, help="training speakers, 200 kB each")
    parser.add_argument("--test-people", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=20_000, help=f"of {BATCH} clips")
    parser.add_argument("--rederive-at", type=int, default=1000, help="step at which the weights are derived anew")
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--workers", type=int, default=8, help="processes that speak and render")
    parser.add_argument("--out", type=Path, default=Path("runs/gpu"), help="folder of the run")
    parser.add_argument("--record", type=Path, default=Path("gpu_run"), help="record to write (default results/)")
    options = parser.parse_args(arguments)
    io.refuse_uncommitted(options.record)
    batch = min(BATCH, options.people)
    config = training.make_config(
        "paper-gpu", options.loss, encoder=options.preset, max_steps=options.steps, batch_size=batch,
        rederive_at=options.rederive_at, learning_rate=options.learning_rate, compile=torch.cuda.is_available(),
    )  # fmt: skip
    seen = people_set.PeopleSet(options.people, 1)
    held_out = people_set.PeopleSet(min(400, options.people), 1, people_set.VALIDATION_SEED, sentences="test")
    unseen = people_set.PeopleSet(options.test_people, 1, SEEDS["test"], sentences="test")
    source, validation, test = (people_set.source(w, workers=options.workers) for w in (seen, held_out, unseen))
    layers = training.layers_for(source, config.loss)
    run = training.run(config, source, validation=validation, out_dir=options.out, progress=True, **layers)
    path = io.write_record(
        options.record,
        rows=rows(run, test, batch),
        command=io.command_of(parser, options, left_out=("out", "record", "workers")),
        n=len(test),
        seconds=run.lines[-1]["seconds"],
        seeds=(config.seed,),
        device=torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        notes=f"{options.people} training speakers, one clip and one picture each; seconds are those of training.",
    )
    print(io.read_record(path).select().to_string())
    print(f"→ {path}")


def rows(run: training.Run, test, batch: int) -> list[dict]:
    """The record's rows: what was reached on the test people, and the curve of the validation."""
    name = {"run": run.config.encoder}
    device = next(run.encoder.parameters()).device
    v_s, v_f = validate.predict(run.encoder, test, device=device), np.asarray(test.v_f, np.float32)
    ranks, found = retrieval.rank(v_s, v_f), []
    for line in (line for line in run.lines if line["kind"] == "validation"):
        at = {**name, "split": "validation", "clips": line["step"] * batch}
        found.append({"measure": "angle", "value": line["angle_deg"], **at})
        found.append({"measure": "top_percent", "value": line["top10_percent"] / 100, "k": 10, **at})
    return [
        {"measure": "clips_seen", "value": run.lines[-1]["step"] * batch, **name},
        {"measure": "angle", "value": float(similarity.angle_deg(v_s, v_f).mean()), "split": "test", **name},
        *({"measure": "top_percent", "value": ranks.top_percent(k), "k": k, "split": "test", **name} for k in (1, 10)),
        *found,
    ]


if __name__ == "__main__":
    main()
