"""What the training commands of the face networks share: checkpoints that resume, and shipping with provenance."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from s2f_lib import hub, io

__all__ = [
    "Clock",
    "batches",
    "cosine_schedule",
    "load_checkpoint",
    "load_half",
    "provenance",
    "save_checkpoint",
    "ship",
]


def batches(count: int, batch_size: int, step: int, seed: int) -> Iterator[np.ndarray]:
    """Endless batches of indices from the given step on; each epoch is a new order that depends on the seed only."""
    per_epoch = max(1, count // batch_size)
    while True:
        epoch, position = divmod(step, per_epoch)
        order = np.random.default_rng([seed, epoch]).permutation(count)
        for start in range(position, per_epoch):
            yield np.sort(order[start * batch_size : (start + 1) * batch_size])
            step += 1


def cosine_schedule(step: int, steps: int, peak: float, warmup: float = 0.05) -> float:
    """Learning rate: a straight rise to the peak, then half a cosine down to (almost) nothing."""
    begin = max(1, round(warmup * steps))
    if step < begin:
        return peak * (step + 1) / begin
    return peak * (0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * (step - begin) / max(1, steps - begin))))


class Clock:
    """Seconds of training, added up over the calls that a run was broken into."""

    def __init__(self, before: float = 0.0):
        self.before, self.start = before, time.perf_counter()

    @property
    def seconds(self) -> float:
        return self.before + time.perf_counter() - self.start


def save_checkpoint(
    path: Path, network: nn.Module, optimiser: torch.optim.Optimizer, step: int, seconds: float
) -> None:
    """Write everything that continuing needs, in one piece or not at all."""
    state = {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "step": step, "seconds": seconds}
    with io.atomic_path(path) as temporary:
        torch.save(state, temporary)


def load_checkpoint(path: Path, network: nn.Module, optimiser: torch.optim.Optimizer) -> tuple[int, float]:
    """Continue from a checkpoint if there is one; gives the step and the seconds so far (0, 0 without one)."""
    if not path.exists():
        return 0, 0.0
    state = torch.load(path, map_location="cpu", weights_only=True)
    try:
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
    except (RuntimeError, ValueError, KeyError) as error:
        raise ValueError(f"{path} belongs to other settings: {error}; give another --out or delete it") from error
    return state["step"], state["seconds"]


def ship(name: str, network: nn.Module, *, shape: dict, entry: dict, folder: Path | None = None) -> Path:
    """Write weights in half precision, and the entry by which `hub` finds and checks them.

    Parameters
    ----------
    name : str
        Name in the hub; the file is ``<name>.safetensors``.
    network : nn.Module
    shape : dict
        What the builder needs to know besides the tensors; stored inside the file.
    entry : dict
        Fields of the entry: kind, licence, source, command, builder, and the provenance (seeds, data, metrics).
    folder : Path, optional
        By default the folder of the shipped weights.

    Returns
    -------
    Path
        The weights.
    """
    from safetensors.torch import save_file

    path = (folder or hub.WEIGHTS) / f"{name}.safetensors"
    halves = {key: tensor.detach().half().contiguous() for key, tensor in network.state_dict().items()}
    overflow = [key for key, tensor in halves.items() if not torch.isfinite(tensor).all()]
    if overflow:
        raise ValueError(f"{', '.join(overflow)} of {name} cannot be stored in half precision: not finite")
    with io.atomic_path(path) as temporary:
        save_file(halves, temporary, metadata={"shape": json.dumps(shape)})
    os.chmod(path, 0o644)
    facts = {"name": name, "file": path.name, "sha256": io.sha256(path), "size_mb": round(path.stat().st_size / 1e6, 2)}
    with io.atomic_write(path.with_suffix(".json"), "w") as file:
        json.dump(facts | entry, file, indent=2)
        file.write("\n")
    return path


def provenance(record: str, entry: dict, seconds: float, n: int) -> dict:
    """Write ``results/<record>.json`` about a training run; gives the facts that belong into the hub's entry too."""
    io.write_record(
        record,
        command=entry["command"],
        n=n,
        metrics=entry["metrics"],
        seeds=[entry["population_seed"], entry["settings"]["seed"]],
        seconds=seconds,
        notes=f"{entry['data']}; seconds are those of training alone",
    )
    written = io.read_record(record)
    return {key: written[key] for key in ("commit", "date", "device", "seconds")} | {"record": f"results/{record}.json"}


def load_half(path: Path) -> tuple[dict[str, torch.Tensor], dict]:
    """Read what `ship` wrote: tensors in single precision, and the shape."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        if "shape" not in metadata:
            raise ValueError(f"{path} was not written by s2f_lib: it does not say its shape")
        return {key: file.get_tensor(key).float() for key in file.keys()}, json.loads(metadata["shape"])  # noqa: SIM118
