"""Checkpoints: everything a run needs to go on as if it had never stopped, in one file that is whole or absent."""

from pathlib import Path

import torch

from s2f_lib import config, io

VERSION = 2
NAME = "checkpoint.pt"


def save(folder: str | Path, state: dict) -> Path:
    """Write ``checkpoint.pt`` atomically: `state` (tensors and plain Python only) plus PyTorch's random states."""
    path = Path(folder) / NAME
    random = {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []}
    with io.atomic_write(path) as file:
        try:
            torch.save({"version": VERSION, "random": random, **state}, file)
        except RuntimeError as error:  # PyTorch's writer hides what stopped it
            hidden = error.__context__
            raise hidden if isinstance(hidden, (OSError, KeyboardInterrupt)) else error from None
    return path


def load(folder: str | Path) -> dict | None:
    """The checkpoint of a run, on the CPU, or None; ValueError if it is damaged or of another version."""
    path, again = Path(folder) / NAME, "delete it to start this run again"
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        return None
    except OSError:
        raise
    except Exception as error:  # whatever a damaged archive makes of itself
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise ValueError(f"{path} is no checkpoint, or a damaged one ({reason}); {again}") from error
    if not isinstance(state, dict):
        raise ValueError(f"{path} is no checkpoint; {again}")
    if state.get("version") != VERSION:
        found = state.get("version")
        raise ValueError(f"{path} is of version {found} of the checkpoint format, this is {VERSION}; {again}")
    return state


def restore_random_state(state: dict) -> None:
    """Put PyTorch's generators where they were; those of GPUs only where there are as many as then."""
    torch.set_rng_state(state["random"]["cpu"])
    if torch.cuda.is_available() and len(state["random"]["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["random"]["cuda"])


def check(state: dict, settings, about: dict, folder: str | Path) -> None:
    """Refuse a checkpoint of other settings or other data; one that says nothing of its data is taken.

    Of the settings only ``max_steps`` may differ, where the learning rate does not depend on it. ``about`` is what the
    data say of themselves, {} if nothing. ValueError names the first difference, and what to do.
    """
    mine, its = config.to_dict(settings), state["config"]
    if mine["max_steps"] != its.get("max_steps") and settings.schedule == "one_cycle":
        raise ValueError(
            f"{folder} holds a run planned for {its.get('max_steps')} steps, not {mine['max_steps']}; its learning "
            "rate follows that plan, so max_steps cannot change. Choose schedule='constant' or 'paper' for open ends"
        )
    for what, wanted, found in (("settings", mine, its), ("data", about, state.get("data", {}) if about else {})):
        for key in {**found, **wanted}:
            if found.get(key) != wanted.get(key) and key != "max_steps" and found:
                raise ValueError(
                    f"{folder} holds a run on other {what}, with {key} = {found.get(key)!r}, not {wanted.get(key)!r}; "
                    f"choose another folder, or the same {what}, or resume=False (--restart) to begin again"
                )
