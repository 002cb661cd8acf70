"""The command ``s2f train``: one run of the voice encoder, from the clips to the weights.

    s2f train --preset quick --loss paper --seed 0
    s2f train --preset standard --people 8000 --out runs/standard
    s2f train --preset synthetic-standard --set start_from=voice-encoder-synthetic --out runs/further
    s2f train --sweep loss_ablation
    accelerate launch --multi_gpu -m s2f_lib train --preset paper-gpu --corpus data/avspeech

The same loop runs on a CPU, on one GPU and on several; what differs is in the preset.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from s2f_lib import config as settings
from s2f_lib.losses import LossConfig
from s2f_lib.training.api import layers_for, make_config, run
from s2f_lib.training.loop import TrainingError
from s2f_lib.training.settings import TrainConfig
from s2f_lib.training.synthetic import PeopleSet


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="s2f train", description="Train the voice encoder.")
    parser.add_argument("--threads", type=int, help="CPU threads (default: all cores)")
    parser.add_argument("--preset", default="quick", help=f"{', '.join(TrainConfig.PRESETS)}, or a .json file")
    parser.add_argument("--loss", default="paper", help=f"{', '.join(LossConfig.PRESETS)}, or a .json file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--corpus", default="synthetic", help="'synthetic', or a folder made by data_scripts")
    parser.add_argument("--people", type=int, default=512, help="synthetic speakers to train on (default 512)")
    parser.add_argument("--clips", type=int, default=2, help="clips of each synthetic speaker (default 2)")
    parser.add_argument("--population-seed", type=int, default=PeopleSet.seed, help="which synthetic speakers")
    parser.add_argument("--world", default="physiology", help="world of the synthetic speakers")
    parser.add_argument("--out", type=Path, help="folder of the run (default runs/<preset>-<loss>-<seed>)")
    parser.add_argument("--restart", action="store_true", help="begin again although the folder holds a checkpoint")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="change one setting")
    parser.add_argument("--sweep", help="run a whole study instead: loss_ablation")
    parser.add_argument("--only", nargs="*", help="with --sweep: these variants only")
    parser.add_argument("--workers", type=int, default=2, help="processes that make synthetic clips (default 2)")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """The command; gives its exit status."""
    options = _parser().parse_args(arguments)
    try:
        return _sweep(options) if options.sweep else _train(options)
    except (TrainingError, ValueError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _sweep(options) -> int:
    """A whole study."""
    from s2f_lib.training import sweep_report

    return sweep_report.main(options.sweep, options.only, options.workers)


def _train(options) -> int:
    """One run."""
    import torch
    from accelerate import PartialState

    if options.threads:
        torch.set_num_threads(options.threads)
    changes = dict(_assignment(text) for text in options.set)
    config = make_config(options.preset, changes.pop("loss", options.loss), seed=options.seed, **changes)
    out = options.out or Path("runs") / f"{Path(options.preset).stem}-{Path(options.loss).stem}-{options.seed}"
    with PartialState(cpu=not torch.cuda.is_available()).main_process_first():  # one makes the clips, the others read
        source, validation = _open(options)
    layers = layers_for(source, config.loss)
    resume = not options.restart
    result = run(config, source, **layers, validation=validation, out_dir=out, resume=resume, progress=True)
    if not PartialState().is_main_process:
        return 0
    from s2f_lib import voice_encoder

    voice_encoder.save(result.encoder, out / "voice_encoder.safetensors")
    final = {key: round(result.final(key), 2) for key in ("angle_deg", "top10_percent")}
    print(f"trained {config.encoder!r} for {result.lines[-1]['step']} steps ({result.stopped}): {final} → {out}")
    return 0


def _assignment(text: str) -> tuple[str, object]:
    """'max_steps=100' to ('max_steps', 100)."""
    name, sign, value = text.partition("=")
    if not sign:
        raise SystemExit(f"--set wants FIELD=VALUE, got {text!r}")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _open(options) -> tuple:
    """Training and validation clips that the command line asks for.

    Raises
    ------
    ValueError
        If the speakers are kept for something else: the test, the validation, the recogniser, the decoder.
    """
    from s2f_lib.training import synthetic

    if options.corpus != "synthetic":
        from s2f_lib.training.shards import corpus_sources

        return corpus_sources(options.corpus)
    kept = {seed: purpose for purpose, seed in settings.SEEDS.items() if purpose != "voice"}
    kept[synthetic.VALIDATION_SEED] = "validation"
    if purpose := kept.get(options.population_seed):
        raise ValueError(
            f"--population-seed {options.population_seed}: these people are kept for {purpose!r}, and no voice encoder "
            f"may train on them; take another number, the default is {PeopleSet.seed}"
        )
    which = PeopleSet(options.people, options.clips, options.population_seed, options.world)
    held_out = min(400, max(64, options.people // 8))
    other = PeopleSet(held_out, 1, seed=synthetic.VALIDATION_SEED, world=options.world, sentences="test")
    return synthetic.source(which, workers=options.workers), synthetic.source(other, workers=options.workers)
