"""What the training commands of the face networks share: checkpoints that resume, and shipping with provenance."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from s2f_lib import config, hub, io

__all__ = [
    "batches",
    "chosen",
    "command_line",
    "command_of",
    "cosine_schedule",
    "optimise",
    "provenance",
    "ship",
    "to_device",
]

REPORT_EVERY, SAVE_EVERY = 50, 200  # steps
Losses = Callable[[np.ndarray, int], dict[str, torch.Tensor]]


def command_line(description: str, settings: type, out: Path, name: str, test_people: int) -> argparse.ArgumentParser:
    """The options that training commands share, and one for every field of the settings that is a number or a text."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=out, help="checkpoint and settings")
    parser.add_argument("--data", type=Path, default=Path("data/faces"), help="rendered pictures and features")
    parser.add_argument("--test-people", type=int, default=test_people)
    parser.add_argument("--workers", type=int, default=2, help="rendering processes")
    parser.add_argument("--ship", action="store_true", help=f"install the result as {name}")
    for field in dataclasses.fields(settings):
        if isinstance(field.default, (int, float, str)):
            option = f"--{field.name.replace('_', '-')}"
            parser.add_argument(option, type=type(field.default), default=field.default)
    return parser


def chosen(options: argparse.Namespace, settings: type):
    """The settings that a command line made by `command_line` asks for; saved in its ``--out``.

    Raises
    ------
    ValueError
        If ``--out`` holds a checkpoint of other settings; nothing is written then.
    """
    names = {field.name for field in dataclasses.fields(settings)} & set(vars(options))
    made = settings(**{name: getattr(options, name) for name in names})
    read_checkpoint(options.out / "checkpoint.pt", made)
    config.save(made, options.out / "config.json")
    return made


def command_of(module: str, made) -> str:
    """The command that trains with these settings: what differs from the defaults is named."""
    default = type(made)()
    changed = [f.name for f in dataclasses.fields(made) if getattr(made, f.name) != getattr(default, f.name)]
    options = "".join(f" --{name.replace('_', '-')} {getattr(made, name)}" for name in changed)
    return f"python -m {module}{options} --ship"


def to_device(pictures: np.ndarray, device: str | torch.device) -> torch.Tensor:
    """Pictures (..., H, W, 3) uint8 to images (..., 3, H, W) in [0, 1]; they travel as bytes, a quarter of the way."""
    return torch.from_numpy(np.array(pictures)).to(device).movedim(-1, -3).contiguous().float() / 255.0


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
    return float(peak * (0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * (step - begin) / max(1, steps - begin)))))


def optimise(network: nn.Module, losses: Losses, settings, count: int, out: Path | None = None) -> float:
    """Train with AdamW, or continue from the last checkpoint.

    Parameters
    ----------
    network : nn.Module
        Trained in place.
    losses : callable
        (indices of the examples of a batch, step) -> terms by name; the one called "loss" is minimised.
    settings : dataclass
        With ``steps``, ``batch_size``, ``learning_rate``, ``weight_decay`` and ``seed``.
    count : int
        Number of examples.
    out : Path, optional
        Folder of the checkpoint; without it nothing is kept.

    Returns
    -------
    float
        Seconds of training, those before a break included.

    Raises
    ------
    ValueError
        If the checkpoint belongs to other settings; the message names the first that differs.
    """
    rate, decay = settings.learning_rate, settings.weight_decay
    optimiser = torch.optim.AdamW(network.parameters(), rate, weight_decay=decay, fused=True)
    step, before = load_checkpoint(out / "checkpoint.pt", network, optimiser, settings) if out else (0, 0.0)
    start, first, recent = time.perf_counter(), step, []
    for chosen in batches(count, settings.batch_size, step, settings.seed):
        if step >= settings.steps:
            break
        for group in optimiser.param_groups:
            group["lr"] = cosine_schedule(step, settings.steps, settings.learning_rate)
        terms = losses(chosen, step)
        optimiser.zero_grad()
        terms["loss"].backward()
        optimiser.step()
        step += 1
        seconds = time.perf_counter() - start
        recent.append(torch.stack([term.detach() for term in terms.values()]))  # read later, so that a GPU never waits
        if step % REPORT_EVERY == 0 or step == settings.steps:
            means = torch.stack(recent).mean(dim=0).tolist()
            values = "  ".join(f"{name} {value:.5f}" for name, value in zip(terms, means))
            speed = (step - first) * settings.batch_size / seconds
            print(f"step {step} of {settings.steps}  {values}  {speed:.0f} examples/s", flush=True)
            recent = []
        if out and (step % SAVE_EVERY == 0 or step == settings.steps):
            save_checkpoint(out / "checkpoint.pt", network, optimiser, settings, step, before + seconds)
    return before + time.perf_counter() - start if step > first else before


def save_checkpoint(
    path: Path, network: nn.Module, optimiser: torch.optim.Optimizer, settings, step: int, seconds: float
) -> None:
    """Write everything that continuing needs, in one piece or not at all."""
    state = {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "step": step, "seconds": seconds}
    state["settings"] = config.to_dict(settings)
    with io.atomic_path(path) as temporary:
        torch.save(state, temporary)


def read_checkpoint(path: Path, settings) -> dict | None:
    """What `save_checkpoint` wrote, on the CPU; None where there is no checkpoint.

    Raises
    ------
    ValueError
        If it was trained with other settings (the learning rate follows ``steps``, so more steps are others, too),
        or does not say with which.
    """
    if not path.exists():
        return None
    state = torch.load(path, map_location="cpu", weights_only=True)
    if "settings" not in state:
        raise ValueError(
            f"{path} does not say with which settings it was trained (an older version wrote it); "
            "give another --out or delete it"
        )
    found, wanted = state["settings"], config.to_dict(settings)
    for name in {**wanted, **found}:
        if found.get(name) != wanted.get(name):
            raise ValueError(
                f"{path} belongs to other settings: it was trained with {name} = {found.get(name)!r}, "
                f"not {wanted.get(name)!r}; give another --out, or the same settings, or delete it"
            )
    return state


def load_checkpoint(path: Path, network: nn.Module, optimiser: torch.optim.Optimizer, settings) -> tuple[int, float]:
    """Continue from a checkpoint if there is one; gives the step and the seconds so far (0, 0 without one).

    Raises
    ------
    ValueError
        If it belongs to other settings, or to a network of another shape; see `read_checkpoint`.
    """
    state = read_checkpoint(path, settings)
    if state is None:
        return 0, 0.0
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


def provenance(record: str, entry: dict, seconds: float, n: int, device: str = "cpu") -> dict:
    """Write ``results/<record>.json`` about a training run; gives the facts that belong into the hub's entry too."""
    on_gpu = torch.device(device).type == "cuda"
    io.write_record(
        record,
        command=entry["command"],
        n=n,
        metrics=entry["metrics"],
        seeds=[entry["population_seed"], entry["settings"]["seed"]],
        seconds=seconds,
        device=torch.cuda.get_device_name(device) if on_gpu else None,
        notes=f"{entry['data']}; seconds are those of training alone",
    )
    written = io.read_record(record)
    return {key: written[key] for key in ("commit", "date", "device", "seconds")} | {"record": f"results/{record}.json"}
