"""Turn a finished run into weights of the hub: a small file, and a description that says where it comes from.

python -m s2f_lib.training.publish runs/synthetic-standard --people 30000

Where the run went on from other weights, the description counts their clips too and says how they were made.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from s2f_lib import config, hub, io, voice_encoder
from s2f_lib.losses import LossConfig
from s2f_lib.training import checkpoint
from s2f_lib.training.api import make_config
from s2f_lib.training.settings import TrainConfig
from s2f_lib.training.synthetic import PeopleSet
from s2f_lib.voice_encoder import VoiceEncoder

NAME = "voice-encoder-synthetic"


def load_run(folder: str | Path) -> tuple[VoiceEncoder, TrainConfig, list[dict]]:
    """Encoder, settings and log of a run, all as they were at its checkpoint.

    Raises
    ------
    FileNotFoundError
        If the folder holds no checkpoint.
    """
    return _of_checkpoint(_state(folder))


def _state(folder: str | Path) -> dict:
    """The checkpoint of a run, which must be there."""
    state = checkpoint.load(folder)
    if state is None:
        raise FileNotFoundError(f"{folder} holds no {checkpoint.NAME}; train first: s2f train")
    return state


def _of_checkpoint(state: dict) -> tuple[VoiceEncoder, TrainConfig, list[dict]]:
    """Encoder, settings and log."""
    settings = config.from_dict(TrainConfig, state["config"])
    width = state["encoder"]["fc2.bias"].numel()
    encoder = VoiceEncoder(
        voice_encoder.preset(settings.encoder, **({"feature_dim": width} | dict(settings.encoder_changes)))
    )
    encoder.load_state_dict(state["encoder"])
    return encoder.eval(), settings, state["lines"]


def publish(
    folder: str | Path,
    people: int,
    name: str = NAME,
    recogniser: str = "synthetic-vgg",
    about: str = "",
    device: str = "",
    population_seed: int = PeopleSet.seed,
    clips: int = 1,
) -> Path:
    """Write ``<name>.safetensors`` (16-bit) and ``<name>.json`` into the hub's folder; gives the weights' path.

    ``device`` is what the run was trained on, by default this CPU.

    Raises
    ------
    FileNotFoundError
        If the folder holds no checkpoint.
    ValueError
        If the run is not at its end, heard other people than stated, or went on from weights that the hub has no more.
    """
    state = _state(folder)
    encoder, settings, lines = _of_checkpoint(state)
    _check_end(folder, state, settings)
    which = _people(state.get("data", {}), people, clips, population_seed)
    before = _origin(lines)
    path = hub.WEIGHTS / f"{name}.safetensors"
    voice_encoder.save(encoder, path)
    step = state["step"]
    scores = [line for line in lines if line["kind"] == "validation"]
    batch = settings.batch_size
    entry = {
        "name": name,
        "kind": "voice encoder",
        "file": path.name,
        "sha256": io.sha256(path),
        "size_mb": round(path.stat().st_size / 1e6, 2),
        "licence": "Apache-2.0",
        "source": "trained from scratch on synthetic people; nobody's voice or face",
        "builder": "s2f_lib.voice_encoder:load",
        "command": _command(settings, which),
        "commit": io.current_commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "device": device or io.describe_cpu(),
        "record": "voice_encoder",
        "recogniser": recogniser,
        "recogniser_sha256": hub.describe(recogniser).get("sha256"),
        "people": people,
        "population_seed": population_seed,
        "started_from": {key: value for key, value in before.items() if key != "curve"},
        "clips_seen": before.get("clips_seen", 0) + step * batch,
        "steps": step,
        "seconds": lines[-1].get("seconds"),
        "settings": config.to_dict(settings),
        "loss_weights": next((x["weights"] for x in lines if x["kind"] == "rederived"), settings.loss.weights()),
        "curve": before.get("curve", [])
        + [
            [before.get("clips_seen", 0) + s["step"] * batch, round(s["angle_deg"], 3), round(s["top10_percent"], 2)]
            for s in scores
        ],
        "about": about,
    }
    with io.atomic_write(hub.WEIGHTS / f"{name}.json", "w") as file:
        json.dump(entry, file, indent=2)
        file.write("\n")
    return path


def _check_end(folder: str | Path, state: dict, settings: TrainConfig) -> None:
    """Refuse a run that was stopped on its way."""
    lost_patience = settings.patience and state["waited"] >= settings.patience
    if state["step"] < settings.max_steps and not lost_patience:
        raise ValueError(
            f"the run in {folder} is at step {state['step']} of {settings.max_steps}; go on with it first, by the "
            "command that began it"
        )


def _people(data: dict, people: int, clips: int, seed: int) -> PeopleSet:
    """The stated speakers, in the world of the run; its checkpoint must not say otherwise, if it says anything."""
    stated = {"kind": "synthetic people", "people": people, "clips": clips, "seed": seed}
    wrong = [f"{key} {data[key]}, not {value}" for key, value in stated.items() if data.get(key, value) != value]
    if wrong:
        raise ValueError(f"the run was trained on {'; '.join(wrong)}")
    return PeopleSet(people, clips, seed, data.get("world", PeopleSet.world))


def _origin(lines: list[dict]) -> dict:
    """The weights that a run went on from, as the hub describes them; empty for a run from the start.

    Raises
    ------
    ValueError
        If the hub has other weights under that name by now, so that nothing is known about those but their checksum.
    """
    started = next((line for line in lines if line["kind"] == "started"), None)
    if started is None:
        return {}
    entry = hub.describe(started["name"])
    if entry.get("sha256") != started["sha256"]:
        raise ValueError(
            f"the run went on from {started['name']} with SHA-256 {started['sha256']}, but the hub has "
            f"{entry.get('sha256')}; put those weights and their description back first"
        )
    keys = ("name", "sha256", "command", "commit", "date", "people", "steps", "clips_seen", "curve", "started_from")
    return {key: entry[key] for key in keys if key in entry}


def _command(settings: TrainConfig, which: PeopleSet) -> str:
    """The two commands that make such weights, with every setting that is not the preset's."""
    usual = config.to_dict(make_config("synthetic-standard", "paper"))
    mine = config.to_dict(settings)
    changed = [key for key in mine if key not in ("loss", "seed") and usual[key] != mine[key]]
    seed = [f"--population-seed {which.seed}"] if which.seed != PeopleSet.seed else []
    people = [f"--people {which.people}", *seed]
    heard = [*people, f"--clips {which.clips}"] + [f"--world {which.world}"] * (which.world != PeopleSet.world)
    own = _loss(settings.loss) + ([f"--seed {settings.seed}"] if settings.seed else [])
    own += [f"--set {key}={_text(mine[key])}" for key in changed]
    first = " ".join(["s2f train --preset synthetic-standard", *heard, *own])
    second = " ".join([*people] + [f"--clips {which.clips}"] * (which.clips != 1))
    out = "runs/synthetic-standard"
    return f"{first} --out {out} && python -m s2f_lib.training.publish {out} {second}"


def _loss(loss: LossConfig) -> list[str]:
    """The option that names a loss, or else its fields that differ from the paper's, which needs none."""
    paper, mine = config.to_dict(LossConfig()), config.to_dict(loss)
    if mine == paper:
        return []
    names = [name for name in LossConfig.PRESETS if config.preset(LossConfig, name) == loss]
    if names:
        return [f"--loss {names[0]}"]
    return [f"--set loss={_text({key: value for key, value in mine.items() if value != paper[key]})}"]


def _text(value) -> str:
    return value if isinstance(value, str) else f"'{json.dumps(value)}'"


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m s2f_lib.training.publish", description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a run")
    parser.add_argument("--people", type=int, required=True, help="speakers it was trained on")
    parser.add_argument("--population-seed", type=int, default=PeopleSet.seed, help="which speakers")
    parser.add_argument("--clips", type=int, default=1, help="clips of each speaker (default 1)")
    parser.add_argument("--name", default=NAME)
    parser.add_argument("--about", default="", help="a sentence on how it was trained")
    parser.add_argument("--device", default="", help="what it was trained on (default: this CPU)")
    options = parser.parse_args(arguments)
    path = publish(
        options.run, options.people, options.name, about=options.about, device=options.device,
        population_seed=options.population_seed, clips=options.clips,
    )  # fmt: skip
    print(f"shipped {path.name}, {path.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
