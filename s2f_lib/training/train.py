"""The command ``s2f train``: one run of the voice encoder, from the clips to the weights.

    s2f train --preset quick --loss paper --seed 0
    s2f train --preset standard --people 8000 --out runs/standard
    s2f train --preset synthetic-standard --set init_from=voice-encoder-synthetic --out runs/further
    accelerate launch --multi_gpu -m s2f_lib train --preset paper-gpu --corpus data/avspeech

The same loop runs on a CPU, on one GPU and on several; what differs is in the preset. Everything is checked before a
clip is made, and the same command goes on where an earlier call was stopped.
"""

import argparse
import json
import shlex
import sys
from pathlib import Path

from s2f_lib import config as settings
from s2f_lib import io, voice_encoder
from s2f_lib.losses import LossConfig
from s2f_lib.training import checkpoint, people_set
from s2f_lib.training.api import layers_for, make_config, run
from s2f_lib.training.loop import choose_device
from s2f_lib.training.people_set import PeopleSet
from s2f_lib.training.settings import TrainConfig
from s2f_lib.training.voice import weights_of


def parser() -> argparse.ArgumentParser:
    """The options of ``s2f train``."""
    found = argparse.ArgumentParser(prog="s2f train", description="Train the voice encoder.")
    presets, losses = (", ".join(settings.presets(kind)) for kind in (TrainConfig, LossConfig))
    found.add_argument("--preset", default="quick", help=f"{presets}, or a .json file")
    found.add_argument("--loss", default="paper", help=f"{losses}, or a .json file")
    found.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="change one setting")
    found.add_argument("--seed", type=int, default=0)
    found.add_argument("--corpus", default="synthetic", help="'synthetic', or a folder made by `s2f corpus`")
    found.add_argument("--people", type=int, default=512, help="synthetic speakers to train on (default 512)")
    found.add_argument("--clips", type=int, default=2, help="clips of each synthetic speaker (default 2)")
    found.add_argument("--population-seed", type=int, default=PeopleSet.seed, help="which synthetic speakers")
    found.add_argument("--world", default="physiology", help="world of the synthetic speakers")
    found.add_argument(
        "--sentences", default="train", choices=("train", "free"), help="read out, or invented on the spot"
    )
    found.add_argument("--magnitudes", action="store_true", help="keep spectrograms too: 307 kB a clip, no FFT later")
    found.add_argument("--out", type=Path, help="folder of the run (default runs/<preset>-<loss>-<seed>)")
    found.add_argument("--restart", action="store_true", help="begin again although the folder holds a checkpoint")
    found.add_argument("--device", help="cpu, cuda or cuda:1 (default: a GPU if there is one)")
    found.add_argument("--threads", type=_positive, help="CPU threads (default: all cores)")
    found.add_argument("--workers", type=_positive, default=2, help="processes that make synthetic clips (default 2)")
    return found


def main(arguments: list[str] | None = None) -> int:
    """The command; gives its exit status."""
    import torch
    from accelerate import PartialState

    options, typed = parser().parse_args(arguments), shlex.join(["s2f", "train", *(arguments or ())])
    config = config_of(options)
    out = Path(options.out or f"runs/{Path(options.preset).stem}-{Path(options.loss).stem}-{options.seed}").expanduser()
    device = None if options.device is None else str(choose_device(options.device))
    if config.init_from:
        voice_encoder.load(weights_of(config.init_from))  # refuses what is no encoder
    sets = people_of(options) if options.corpus == "synthetic" else None
    if options.threads:
        torch.set_num_threads(options.threads)
    processes = PartialState(cpu=not torch.cuda.is_available())
    if processes.is_main_process:  # the others would find its lock, and take it for another training
        check_folder(out, config, {} if sets is None or options.restart else sets[0].about, options.restart)
    try:
        with processes.main_process_first():  # one makes the clips, the others read
            if sets is None:
                from s2f_lib import corpus

                opened = corpus.open(options.corpus if "://" in options.corpus else Path(options.corpus).expanduser())
                source, validation = opened.source("train"), opened.source("validation")
            else:
                how = {"workers": options.workers, "progress": processes.is_main_process}
                how |= {"as_magnitudes": options.magnitudes}
                source, validation = (people_set.source(which, **how) for which in sets)
        layers = layers_for(source, config.loss)
        how = {"resume": not options.restart, "device": device, "command": typed}
        result = run(config, source, **layers, validation=validation, out_dir=out, progress=True, **how)
    except KeyboardInterrupt:
        state = checkpoint.load(out)
        kept = f"{out} keeps step {state['step']}" if state else "clips that were made are kept, no step was saved yet"
        again = "the same command goes on from there (--restart begins again)"
        print(f"s2f train: stopped; {kept}; {again}", file=sys.stderr)
        return 130
    if not processes.is_main_process:
        return 0
    voice_encoder.save(result.encoder, out / "voice_encoder.safetensors")
    final = {key: round(result.final(key), 2) for key in ("angle_deg", "top10_percent")}
    print(f"trained {config.encoder!r} for {result.lines[-1]['step']} steps ({result.stopped}): {final} → {out}")
    return 0


def config_of(options: argparse.Namespace) -> TrainConfig:
    """Settings that the command line asks for; ValueError for an unknown preset, loss, field or value."""
    changes = {}
    for text in options.set:
        name, sign, value = text.partition("=")
        if not sign:
            raise ValueError(f"--set wants FIELD=VALUE, got {text!r}")
        if name in ("preset", "seed"):
            raise ValueError(f"--set {name}: it has an option of its own, --{name}")
        try:
            changes[name] = json.loads(value)
        except json.JSONDecodeError:
            changes[name] = value
    preset, loss = (
        str(Path(name).expanduser()) if name.endswith(".json") else name for name in (options.preset, options.loss)
    )
    return make_config(preset, changes.pop("loss", loss), seed=options.seed, **changes)


def people_of(options: argparse.Namespace) -> tuple[PeopleSet, PeopleSet]:
    """Speakers to train on, and others to look at meanwhile; ValueError if they are kept for something else."""
    from s2f_lib.people import worlds

    worlds.get(options.world)  # refuses an unknown one
    kept = {seed: purpose for purpose, seed in settings.SEEDS.items() if purpose != "voice"}
    kept[people_set.VALIDATION_SEED] = "validation"
    if purpose := kept.get(options.population_seed):
        raise ValueError(
            f"--population-seed {options.population_seed}: these people are kept for {purpose!r}, and no voice encoder "
            f"may train on them; take another number, the default is {PeopleSet.seed}"
        )
    seen = PeopleSet(options.people, options.clips, options.population_seed, options.world, options.sentences)
    held_out = min(400, max(64, options.people // 8))
    return seen, PeopleSet(held_out, 1, people_set.VALIDATION_SEED, options.world, "test")


def check_folder(out: Path, config: TrainConfig, about: dict, restart: bool) -> None:
    """Refuse a folder that cannot be written, or that holds another run, before hours of work."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with io.locked(out / checkpoint.NAME, wait=False, busy="another training writes in this folder"):
            state = None if restart else checkpoint.load(out)
    except OSError as error:
        raise io.explain(error, out) from error
    if state is not None:
        checkpoint.check(state, config, state.get("data", {}) | about if about else {}, out)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number
