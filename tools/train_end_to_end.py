"""Train whole voice encoders, by regression and by contrast, and score them by the protocol of the neighbours.

    python -m tools.train_end_to_end

The heads of `tools.train_neighbours` start from a feature that a regression made. Here nothing is given: two networks
of one shape hear the same clips in the same order, and differ in the loss alone. The learning rate of each is the best
of `RATES` on validation people; each is then trained with several seeds, and tested once. Every network that is
finished is kept in the cache, so a study that was broken off goes on.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from sklearn.decomposition import TruncatedSVD

from s2f_lib import cli, config, hub, io, losses, training
from s2f_lib.io import row
from s2f_lib.metrics import retrieval
from s2f_lib.neighbours import benchmark, heads
from s2f_lib.people.parallel import processes
from s2f_lib.training import people_set, validate
from tools.train_neighbours import DIRECTIONS

WHOLE = {"regression, end to end": "l2", "contrastive, end to end": "contrastive"}  # and its only term
RATES = (2e-3, 1e-3, 5e-4, 2.5e-4)  # of two that do as well, the higher one is taken
CHOOSING = 100  # seed of the runs that choose a rate; never one of those that are tested


@dataclass(frozen=True)
class Job:
    """One training: everything that its answers depend on, but for the clips."""

    method: str
    rate: float
    seed: int
    steps: int
    train: people_set.PeopleSet
    places: dict[str, people_set.PeopleSet]

    def config(self) -> training.TrainConfig:
        """Settings of the trainer."""
        weights = {f"weight_{term}": float(term == WHOLE[self.method]) for term in losses.TERMS}
        schedule = {"batch_size": 64, "max_steps": self.steps, "learning_rate": self.rate, "seconds": 3.0}
        kept = {"mixed_precision": "bf16", "checkpoint_every": 200, "evaluate_every": self.steps, "seed": self.seed}
        return training.make_config("quick", weights, encoder_changes={"input": "magnitude"}, **schedule, **kept)


def answers(job: Job, folder: Path) -> dict[str, np.ndarray]:
    """v_s (N, D) of validation and test clips of six seconds, from the cache, or trained now on one core."""
    sources = {name: people_set.source(which, progress=False, as_magnitudes=True) for name, which in job.places.items()}
    source = people_set.source(job.train, progress=False, as_magnitudes=True)
    heard = {name: [s.about, people_set.voices_key(job.places[name])] for name, s in sources.items()}
    made_from = [config.to_dict(job.config()), source.about, people_set.voices_key(job.train), heard]

    def train() -> dict[str, np.ndarray]:
        torch.set_num_threads(1)
        out = folder / f"{WHOLE[job.method]}-rate{job.rate:g}-seed{job.seed}"
        trained = training.run(job.config(), source, out_dir=out)
        return {name: validate.predict(trained.encoder, which) for name, which in sources.items()}

    return io.cache.arrays("end_to_end", made_from, train)


def compared(method: str, v_s: np.ndarray, v_f: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What cosines are taken of: predicted features relative to the mean face, or an embedding as its loss sees it."""
    return (v_s, v_f) if WHOLE.get(method) == "contrastive" else (v_s - mean, v_f - mean)


def all_answers(jobs: list[Job], options: argparse.Namespace) -> list[dict[str, np.ndarray]]:
    """Answers of every job, in order, several at a time."""
    with processes(options.workers) as pool:
        waiting = [pool.submit(answers, job, options.runs) for job in jobs]
        try:
            for number, (job, future) in enumerate(zip(jobs, waiting), 1):
                future.result()
                print(f"{number} of {len(jobs)}: {job.method}, rate {job.rate:g}, seed {job.seed}", flush=True)
        except BaseException:
            pool.shutdown(cancel_futures=True)  # or every training that waits would still be run
            raise
        return [future.result() for future in waiting]


def head_answers(train: people_set.PeopleSet, test: people_set.PeopleSet, v_f: tuple, seeds: range) -> dict:
    """What the heads on the frozen feature compare, by method and seed; see `tools.train_neighbours`."""
    encoder = hub.load("voice-encoder-synthetic")
    inside = [heads.hear(encoder, people_set.voices(which, progress=False))[0] for which in (train, test)]
    out = {}
    for name, settings in heads.METHODS.items():
        for seed in seeds:
            fitted, _ = heads.fit(replace(settings, seed=seed), inside[0], v_f[0])
            pair = fitted.compared(torch.from_numpy(inside[1]), torch.from_numpy(v_f[1]))
            out[name, seed] = [part.numpy() for part in pair]
    return out


def run(options: argparse.Namespace) -> tuple[list[dict], dict]:
    """Rows of the record, and the table of the rates that were tried."""
    train = people_set.PeopleSet(options.people, 1)
    validation = people_set.PeopleSet(400, 1, seed=people_set.VALIDATION_SEED, sentences="test")
    test = people_set.PeopleSet(options.test_people, 1, seed=config.SEEDS["test"], sentences="test")
    recogniser, places = hub.load("synthetic-vgg"), {"validation": validation, "test": test}
    seen = {}
    for which in (train, validation, test):  # made once, by both cores, before two trainings ask for it
        source = people_set.source(which, recogniser, options.workers, not options.quiet, as_magnitudes=True)
        seen[which] = np.asarray(source.v_f, np.float32)
    mean = seen[train].mean(axis=0)
    fixed = {"steps": options.steps, "train": train, "places": places}
    tried = [Job(name, rate, CHOOSING, **fixed) for name in WHOLE for rate in RATES]
    rates = []
    for job, found in zip(tried, all_answers(tried, options)):
        ranks = retrieval.rank(*compared(job.method, found["validation"], seen[validation], mean))
        rates.append({"method": job.method, "rate": job.rate, "match": float(ranks.match(2).mean())})
    best = {name: max((r for r in rates if r["method"] == name), key=lambda r: r["match"])["rate"] for name in WHOLE}
    main = [Job(name, best[name], seed, **fixed) for name in WHOLE for seed in range(options.seeds)]
    pairs = {
        (job.method, job.seed): compared(job.method, found["test"], seen[test], mean)
        for job, found in zip(main, all_answers(main, options))
    }
    few = replace(train, people=options.head_people)
    known = people_set.face_targets(few, recogniser, options.workers, not options.quiet).v_f.astype(np.float32)
    basis = TruncatedSVD(DIRECTIONS, random_state=0).fit(known)
    inside = tuple(basis.transform(v).astype(np.float32) for v in (known, seen[test]))
    return rows_of(pairs | head_answers(few, test, inside, range(options.seeds)), test), {"rates": rates}


def rows_of(pairs: dict, test: people_set.PeopleSet) -> list[dict]:
    """The protocol for the first seed of the whole networks, and 1:2 of every seed, everybody and within labels."""
    key = benchmark.key_of(test.population(), test.seed)
    listed, out = benchmark.trials(key, test.seed), []
    for name in WHOLE:
        out += benchmark.score(*pairs[name, 0], key, listed, predictor=name)
    out = benchmark.unique(out)
    for (name, seed), (clips, faces) in pairs.items():
        for within, groups in benchmark.restrictions(key).items():
            ranks = retrieval.rank(clips, faces, groups=groups)
            share = float(ranks.where(ranks.size > 1).match(2).mean())
            out.append(row("match", share, experiment="seeds", predictor=name, within=within, k=2, seed=seed))
    return out


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    p = argparse.ArgumentParser(prog="python -m tools.train_end_to_end", description=__doc__.splitlines()[0])
    p.add_argument("--people", type=int, default=12_000, help="to learn from (default %(default)s)")
    p.add_argument("--head-people", type=int, default=2000, help="of these, for the heads (default %(default)s)")
    p.add_argument("--test-people", type=int, default=1000, help="default %(default)s")
    p.add_argument("--steps", type=int, default=1600, help="of 64 clips, for each network (default %(default)s)")
    p.add_argument("--seeds", type=int, default=3, help="networks of each method (default %(default)s)")
    p.add_argument("--runs", type=Path, default=Path("runs/end_to_end"), help="folder of checkpoints")
    p.add_argument("--workers", type=int, default=2, help="trainings at once, each on one core (default %(default)s)")
    p.add_argument("--quiet", action="store_true", help="no progress bars")
    return p


def main(arguments: list[str] | None = None) -> int:
    """Run the study and write ``results/end_to_end.json``; gives the exit status."""
    options, started = parser().parse_args(arguments), time.time()
    io.refuse_uncommitted("end_to_end")
    rows, tables = run(options)
    notes = (
        f"Whole networks heard {options.people} people, {options.steps * 64} clips a run; the heads sit on the shipped "
        f"encoder, which heard 60,000, and learned from {options.head_people}. Rates were chosen on 400 other people."
    )
    path = io.write_record(
        "end_to_end",
        command=io.command_of(parser(), options),
        n=options.test_people,
        rows=rows,
        tables=tables,
        seeds=[config.SEEDS["test"], config.SEEDS["voice"], *range(options.seeds)],
        seconds=time.time() - started,
        notes=notes,
    )
    print(f"{len(rows)} numbers -> {path}")
    return 0


if __name__ == "__main__":
    sys.exit(cli.guarded(main, "python -m tools.train_end_to_end"))
