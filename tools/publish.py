"""Make trained weights loadable by name: one file, and one entry of the hub that says where they come from.

    python -m tools.publish runs/synthetic-standard

`publish` does so for every network of this project. `publish_run` writes the entry of a voice encoder from its run:
where that went on from other weights, it counts their clips too and says how they were made.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from torch import Tensor

from s2f_lib import cli, config, hub, io
from s2f_lib.training import checkpoint
from s2f_lib.training.settings import TrainConfig
from s2f_lib.voice_encoder import VoiceEncoder

NAME = "voice-encoder-synthetic"
COMMAND = "python -m tools.publish"


def publish(
    name: str, tensors: dict[str, Tensor], shape: dict, *, key: str = "shape", folder: Path | None = None, **facts
) -> Path:
    """Write ``<name>.safetensors`` in half precision and ``<name>.json``; gives the weights' path.

    ``tensors`` are a network's ``state_dict``, ``shape`` what the builder needs besides (see `io.write_tensors`, as for
    `key`), ``facts`` the fields of the entry (see `hub.FIELDS`; file, checksum, size, commit and date are filled in).
    The folder is by default that of the shipped weights.

    Raises
    ------
    ValueError
        If a fact is not among the fields or a needed one is missing, a tensor is not finite in half precision, or the
        clone has uncommitted changes and the weights would be among the shipped ones: nobody could make them again.
    """
    if folder is None:
        refuse_uncommitted()
    hub.check_entry({"name": name} | facts, name)
    made = {"commit": io.current_commit(), "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    path = (folder or hub.WEIGHTS) / f"{name}.safetensors"  # may be a file of the clone: it has changes from here on
    io.write_tensors(path, tensors, shape, key=key)
    path.chmod(0o644)
    file = {"file": path.name, "sha256": io.sha256(path), "size_mb": round(path.stat().st_size / 1e6, 2)}
    entry = {"name": name} | file | made | facts
    hub.check_entry(entry, name)
    with io.atomic_write(path.with_suffix(".json"), "w") as told:
        json.dump({key: entry[key] for key in hub.FIELDS if key in entry}, told, indent=2)
        told.write("\n")
    return path


def refuse_uncommitted() -> None:
    """Raise ValueError if the clone has uncommitted changes; a long training calls this before it starts."""
    if (io.current_commit() or "").endswith("+changes"):
        raise ValueError(
            "weights would be published from uncommitted changes, so that nobody could make them again; commit first"
        )


def load_run(folder: str | Path) -> tuple[VoiceEncoder, TrainConfig, dict]:
    """Encoder, settings and checkpoint of a run at its last step; FileNotFoundError if the folder holds none."""
    state = checkpoint.load(folder)
    if state is None:
        raise FileNotFoundError(f"{folder} holds no {checkpoint.NAME}; train first: s2f train --out {folder}")
    settings = config.from_dict(TrainConfig, state["config"])
    encoder = VoiceEncoder(settings.network(feature_dim=state["network"]["fc2.bias"].numel()))
    encoder.load_state_dict(state["network"])
    return encoder.eval(), settings, state


def publish_run(folder: str | Path, name: str = NAME, device: str = "") -> Path:
    """Publish the voice encoder of a finished run on synthetic people; gives the weights' path.

    ``device`` is what it was trained on; by default this CPU.

    Raises
    ------
    FileNotFoundError
        If the folder holds no checkpoint.
    ValueError
        If the run is not at its end, does not say whom it heard or by which command, heard real people, or went on from
        weights that the hub has no more; and as `publish`.
    """
    encoder, settings, state = load_run(folder)
    if state["step"] < settings.max_steps and not state["stopped"]:
        raise ValueError(
            f"the run in {folder} is at step {state['step']} of {settings.max_steps}; go on with it first, by the "
            "command that began it"
        )
    about = dict(state["data"])
    recogniser = about.pop("recogniser", None)
    if about.get("kind") != "synthetic people" or recogniser is None:
        raise ValueError(f"the run in {folder} was not trained on synthetic people alone, as far as it says")
    lines, started = state["lines"], next((line for line in state["lines"] if line["kind"] == "started"), {})
    if "command" not in started:
        raise ValueError(f"the run in {folder} was not made by s2f train, and does not say how it can be made again")
    before, told = _origin(started), Path("runs", Path(folder).name) if Path(folder).is_absolute() else folder
    command = f"{started['command'].replace(str(folder), str(told))} && {COMMAND} {told}"
    seen = before.get("examples_seen", 0)
    scores = [line for line in lines if line["kind"] == "validation"]
    curve = [
        [seen + s["step"] * settings.batch_size, round(s["angle_deg"], 3), round(s["top10_percent"], 2)] for s in scores
    ]
    return publish(
        name,
        encoder.state_dict(),
        config.to_dict(encoder.config),
        key="config",
        kind="voice encoder",
        licence="Apache-2.0",
        source="trained from scratch on synthetic people; nobody's voice or face",
        builder="s2f_lib.voice_encoder:load",
        command=command if name == NAME else f"{command} --name {name}",
        device=device or io.describe_cpu(),
        seconds=lines[-1].get("seconds"),
        record="voice_encoder" if name == NAME else "voices",
        data=about,
        recogniser={"name": recogniser["name"], "sha256": recogniser["checksum"]},
        settings=config.to_dict(settings),
        init_from={key: value for key, value in before.items() if key != "curve"} or None,
        steps=state["step"],
        examples_seen=seen + state["step"] * settings.batch_size,
        loss_weights=next((x["weights"] for x in lines if x["kind"] == "rederived"), settings.loss.weights()),
        curve=before.get("curve", []) + curve,
    )


def _origin(started: dict) -> dict:
    """The weights that a run went on from, as the hub describes them; empty for a run from the start.

    ValueError if the hub has other weights under that name by now, so that nothing is known but their checksum.
    """
    if "name" not in started:
        return {}
    entry = hub.describe(started["name"])
    if entry.get("sha256") != started["sha256"]:
        raise ValueError(
            f"the run went on from {started['name']} with SHA-256 {started['sha256']}, but the hub has "
            f"{entry.get('sha256')}; put those weights and their description back first"
        )
    keys = ("name", "sha256", "command", "commit", "date", "data", "steps", "examples_seen", "curve", "init_from")
    return {key: entry[key] for key in keys if key in entry}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives its exit status."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a run")
    parser.add_argument("--name", default=NAME, help="name in the hub (default %(default)s)")
    parser.add_argument("--device", default="", help="what it was trained on (default: this CPU)")
    options = parser.parse_args(arguments)
    path = publish_run(options.run.expanduser(), options.name, options.device)
    print(f"published {path.name}, {path.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(cli.guarded(main, COMMAND))
