"""Evaluate an encoder from the shell: ``s2f evaluate --help``."""

import argparse
import time
from pathlib import Path

from s2f_lib import hub, io
from s2f_lib.config import SEEDS
from s2f_lib.evaluate import dataset
from s2f_lib.voice_encoder import VoiceEncoder

OF_PEOPLE = ("people", "seed", "world", "train_people", "recogniser", "decoder")  # say nothing about a folder


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    p = argparse.ArgumentParser(
        prog="s2f evaluate",
        description="Everything the paper measured, with the baselines it left out, as one record.",
        epilog="Without options: the shipped weights on 1,000 synthetic test people, about 10 minutes on 2 cores.",
    )
    p.add_argument("--corpus", default="synthetic", help="'synthetic' (default) or a folder made by data_scripts")
    p.add_argument("--people", type=int, default=1000, help="test people (synthetic), default 1000")
    p.add_argument(
        "--seed", type=int, default=SEEDS["test"], help=f"population of test people, default {SEEDS['test']}"
    )
    p.add_argument("--world", default="physiology", help="world of the synthetic people, default physiology")
    p.add_argument("--train-people", type=int, default=12_000, help="people the baselines learn from, default 12000")
    p.add_argument("--weights", default="voice-encoder-synthetic", help="encoder: a name of the hub or a .safetensors")
    p.add_argument("--recogniser", default="synthetic-vgg", help="name of the hub")
    p.add_argument("--decoder", default="decoder-synthetic-vgg", help="name of the hub")
    p.add_argument("--out", type=Path, help="record to write, default results/evaluation_<corpus>.json")
    p.add_argument("--workers", type=int, default=2, help="processes that render and speak, default 2")
    p.add_argument("--quiet", action="store_true", help="no progress bars")
    return p


def main(arguments: list[str] | None = None) -> int:
    """Run the evaluation and write its record; returns the exit status."""
    options = parser().parse_args(arguments)
    options.out = options.out or io.results_dir() / f"evaluation_{Path(options.corpus).name}.json"
    if options.people < 100:
        raise ValueError(f"--people {options.people}: at least 100 are needed for intervals and correlations")
    started = time.time()
    encoder, recogniser = dataset.load_encoder(options.weights), hub.load(options.recogniser)
    io.refuse_uncommitted(options.out)
    if options.corpus == "synthetic":
        import torch

        from s2f_lib.evaluate import study

        how = {"workers": options.workers, "progress": not options.quiet}
        networks = recogniser, encoder, hub.load(options.decoder), hub.load("attributes-synthetic")
        of = options.people, options.world, options.seed
        evaluation = study.evaluation(*networks, *of, train_n=options.train_people, **how)
        torch.manual_seed(0)
        fresh = VoiceEncoder(encoder.config).eval()
        untrained = tuple(dataset.voice_features(fresh, evaluation.population, item, **how)[:, 0] for item in (0, 1))
        n, rows = len(evaluation), study.rows(evaluation, untrained)
        notes = (
            f"{options.weights} on world {options.world}; baselines fitted on {options.train_people} people of seed "
            f"{SEEDS['voice']}; 95 % intervals by bootstrap over people."
        )
    else:
        from s2f_lib.evaluate import own_corpus

        n, rows, notes = own_corpus.run(options.corpus, encoder, own_corpus.made_for(options.weights))
    path = write(options, n, rows, notes, time.time() - started)
    print(f"{len(rows)} numbers of {n} clips in {time.time() - started:.0f} s -> {path}")
    return 0


def write(options: argparse.Namespace, n: int, rows: list[dict], notes: str, seconds: float) -> Path:
    """Write the record under ``--out``."""
    synthetic, out = options.corpus == "synthetic", options.out
    always = ("corpus", "weights", *(("people", "seed", "world") if synthetic else ()))
    command = io.command_of(parser(), options, always=always, left_out=() if synthetic else OF_PEOPLE)
    seeds = [options.seed, SEEDS["voice"]] if synthetic else []
    how = {"n": n, "rows": rows, "seeds": seeds, "seconds": seconds, "notes": notes}
    return io.write_record(out, command=f"{command} --out results/{out.name}", **how)
