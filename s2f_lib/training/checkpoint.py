"""Checkpoints: everything a run needs to go on as if it had never stopped, in one file that is whole or absent."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import torch

from s2f_lib import io

VERSION = 1
NAME = "checkpoint.pt"


def save(folder: str | Path, state: dict) -> Path:
    """Write ``checkpoint.pt`` atomically: `state` (tensors and plain Python only) plus the random states."""
    path = Path(folder) / NAME
    with io.atomic_write(path) as file:
        torch.save({"version": VERSION, **state, "random": random_state()}, file)
    return path


def load(folder: str | Path) -> dict | None:
    """Read the checkpoint of a run, on the CPU; None where there is none.

    Raises
    ------
    ValueError
        If it was written by another version of the format, or is damaged.
    """
    path = Path(folder) / NAME
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(f"{path} cannot be read ({error}); delete it to start this run again") from error
    if state.get("version") != VERSION:
        raise ValueError(
            f"{path} was written by version {state.get('version')} of the checkpoint format, this is {VERSION}; "
            "delete it to start this run again"
        )
    return state


def random_state() -> dict:
    """State of every random generator a step might use."""
    kind, keys, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002 - libraries may still use it
    version, internal, gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": [kind, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, cached],
        "python": [version, list(internal), gauss],
    }


def restore_random_state(state: dict) -> None:
    """Put back what `random_state` gave; states of GPUs only where there are as many as then."""
    torch.set_rng_state(state["torch"])
    if torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    kind, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, cached))  # noqa: NPY002
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
