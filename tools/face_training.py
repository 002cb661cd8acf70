"""What the trainers of the shipped face networks share: their command line, the loop over pictures, and publishing."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from s2f_lib import config, hub, io
from s2f_lib.training import checkpoint
from s2f_lib.training.loop import Trainer, choose_device
from s2f_lib.training.settings import LoopConfig
from s2f_lib.training.sources import Batch, rows_of_step
from tools import publish

__all__ = ["FaceTrainer", "chosen", "command_line", "command_of", "install", "to_device"]

Losses = Callable[[np.ndarray, int], dict[str, Tensor]]
RECORDED = {  # what is measured: name in a weight file's entry -> measure and conditions of the record
    "sex": ("sex_right", {}),
    "group": ("group_right", {}),
    "age_mae": ("age_mae", {}),
    "texture_error_vs_mean_face": ("texture_error", {}),
    "craniofacial_median_r": ("median_r", {}),
    "verification_auc": ("auc", {}),
    "verification_auc_matched": ("auc", {"within": "sex, group and age"}),
    "rank1": ("recall_at", {"k": 1}),
    "test_people": ("people", {"split": "test"}),
}


class FaceTrainer(Trainer):
    """The loop of `s2f_lib.training.loop` over the rows of a set of pictures.

    Parameters
    ----------
    network : nn.Module
        Trained in place.
    config : LoopConfig
    losses : callable
        (rows of a batch, step) -> terms by name; the one called "loss" is minimised.
    count : int
        Number of rows.
    folder, about, device
        As for `Trainer`.
    """

    def __init__(
        self, network: nn.Module, config: LoopConfig, losses: Losses, count: int, folder=None, about=None, device=None
    ):
        super().__init__(network, config, folder, about, device)
        self.terms, self.count = losses, count

    def batches(self, start: int) -> Iterator[Batch]:
        """Rows only; what belongs to them is looked up where it lies."""
        step = start
        while True:
            yield {"clip": torch.from_numpy(rows_of_step(self.count, self.config.batch_size, self.config.seed, step))}
            step += 1

    def losses(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The terms of these rows."""
        terms = self.terms(batch["clip"].cpu().numpy(), self.step)
        return terms.pop("loss"), terms


def command_line(description: str, settings: type, out: Path, name: str, test_people: int) -> argparse.ArgumentParser:
    """The options that the trainers share, and one for every field of the settings that is a number or a text."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=out, help="checkpoint, log and settings")
    parser.add_argument("--data", type=Path, default=Path("data/faces"), help="rendered pictures and features")
    parser.add_argument("--test-people", type=int, default=test_people)
    parser.add_argument("--workers", type=int, default=2, help="rendering processes")
    parser.add_argument("--device", help="cpu, cuda or cuda:1 (default: a GPU if there is one)")
    parser.add_argument("--publish", action="store_true", help=f"install the result as {name}")
    for field in dataclasses.fields(settings):
        if isinstance(field.default, (int, float, str)):
            option = f"--{field.name.replace('_', '-')}"
            parser.add_argument(option, type=type(field.default), default=field.default)
    return parser


def chosen(options: argparse.Namespace, settings: type) -> LoopConfig:
    """The settings that a command line made by `command_line` asks for.

    Raises
    ------
    ValueError
        If ``--out`` holds a run of other settings, or the result shall be published and there are uncommitted changes;
        before anything is rendered.
    """
    names = {field.name for field in dataclasses.fields(settings)} & set(vars(options))
    made = settings(**{name: getattr(options, name) for name in names})
    if options.publish:
        publish.refuse_uncommitted()
    options.device = str(choose_device(options.device))
    if (state := checkpoint.load(options.out)) is not None:
        checkpoint.check(state, made, {}, options.out)
    return made


def command_of(module: str, made: LoopConfig) -> str:
    """The command that trains with these settings: what differs from the defaults is named."""
    default = type(made)()
    changed = [f.name for f in dataclasses.fields(made) if getattr(made, f.name) != getattr(default, f.name)]
    options = "".join(f" --{name.replace('_', '-')} {getattr(made, name)}" for name in changed)
    return f"python -m {module}{options} --publish"


def to_device(pictures: np.ndarray, device: str | torch.device) -> Tensor:
    """Pictures (..., H, W, 3) uint8 to images (..., 3, H, W) in [0, 1]; they travel as bytes, a quarter of the way."""
    return torch.from_numpy(np.array(pictures)).to(device).movedim(-1, -3).contiguous().float() / 255.0


def install(
    options: argparse.Namespace, name: str, network: nn.Module, made: LoopConfig, metrics: dict, seconds: float, **facts
) -> int:
    """Print what was measured and write the weights: into the hub with a record (``--publish``), or into ``--out``.

    Parameters
    ----------
    options : argparse.Namespace
        Of `command_line`.
    name : str
        Name in the hub.
    network : nn.Module
    made : LoopConfig
    metrics : dict
        By the names of `RECORDED`.
    seconds : float
        Of training.
    **facts
        Fields of the entry, see `hub.FIELDS`, and ``shape``, which the builder needs.

    Returns
    -------
    int
        Exit status.
    """
    for measure, value in metrics.items():
        print(f"{measure}: {value:.4f}  ({options.test_people} people)")
    metrics = metrics | {"test_people": options.test_people}
    record, shape, data = f"train_{name.replace('-', '_')}", facts.pop("shape", {}), facts["data"]
    on_gpu = torch.device(options.device).type == "cuda"
    device = torch.cuda.get_device_name(options.device) if on_gpu else io.describe_cpu()
    if options.publish:
        rows = [{"measure": RECORDED[key][0], "value": value, **RECORDED[key][1]} for key, value in metrics.items()]
        pictures = data["people"] * (data.get("wild", 0) + data["canonical"])
        io.write_record(
            record, rows=rows, command=facts["command"], n=pictures, seeds=[data["seed"], made.seed], seconds=seconds,
            device=device, notes=f"{data['people']} people, {pictures} pictures; seconds are those of training alone",
        )  # fmt: skip
        facts["record"] = record
    path = publish.publish(
        name, network.state_dict(), shape, folder=None if options.publish else options.out, licence="CC0-1.0",
        device=device, seconds=round(seconds, 2), settings=config.to_dict(made), steps=made.max_steps, metrics=metrics,
        **facts,
    )  # fmt: skip
    print(f"wrote {path}, {path.stat().st_size / 1e6:.1f} MB")
    return 0


def origin(name: str) -> dict | None:
    """The weights that a training started from: name, checksum and command; None for none."""
    known = hub.describe(name) if name else {}
    return {key: known[key] for key in ("name", "sha256", "command", "commit") if key in known} or None
