"""What the parts of `benchmarks.gpu_training` share: settings, stand-ins, time, and where the numbers are kept."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from s2f_lib import io, training
from s2f_lib.training.data import ArraySource
from s2f_lib.training.loop import Trainer

CUDA = torch.cuda.is_available()
DEVICE = torch.device("cuda" if CUDA else "cpu")
DIM, CLASSES, DECODER = 4096, 512, 1000  # of the stand-ins
TINY = {"encoder": "quick", "encoder_changes": {"channels": [4] * 9, "hidden": 16}}  # the network of a dry run
SAVING = 25.0  # s kept free at the end of a call for a checkpoint of 1.8 GB and the scores


@dataclass(frozen=True)
class Trial:
    """One way to run a step; the defaults are what one writes first."""

    batch_size: int = 32
    channels_last: bool = False
    benchmark: bool = False  # cuDNN tries its kernels instead of guessing
    compile: str = ""  # "": not; "default": as the library does it; else a mode of torch.compile


class Session:
    """One call: its budget, and the numbers of this and earlier calls, which a killed call cannot lose.

    Parameters
    ----------
    folder : Path
        Where numbers, corpus and checkpoints lie, so that the next call on the same machine goes on.
    seconds : float
        Length of this call.
    dry : bool
        Tiny sizes.
    """

    def __init__(self, folder: Path, seconds: float, dry: bool = False):
        self.folder, self.dry, self.begun = folder, dry, time.perf_counter()
        self.deadline = self.begun + seconds
        path = folder / "measured.json"
        self.state = json.loads(path.read_text()) if path.exists() else {}

    def left(self) -> float:
        """Seconds until the end of this call."""
        return self.deadline - time.perf_counter()

    def remember(self, key: str, value) -> None:
        """Keep something for later calls that is no result."""
        self.state[key] = value
        with io.atomic_write(self.folder / "measured.json", "w") as file:
            json.dump(self.state, file, indent=1)

    def keep(
        self, record: str, part: str, metrics: dict, *, n: int, notes: list[str] = (), intervals: dict | None = None
    ) -> None:
        """Add a part's numbers to a record and write it; numbers that are not finite were not measured."""
        so_far = self.state.get(record, {"parts": [], "metrics": {}, "intervals": {}, "notes": {}, "seconds": {}})
        so_far["parts"] += [part] * (part not in so_far["parts"])
        so_far["metrics"] |= {k: float(v) for k, v in metrics.items() if np.isfinite(v)}
        so_far["intervals"] |= intervals or {}
        so_far["notes"][part] = " ".join(notes)
        so_far["seconds"][f"{self.begun:.0f}"] = time.perf_counter() - self.begun  # of this call
        self.remember(record, so_far)
        io.write_record(
            record, command=f"python -m benchmarks.gpu_training --only {' '.join(so_far['parts'])}", n=n,
            metrics=so_far["metrics"], intervals=so_far["intervals"], seconds=sum(so_far["seconds"].values()),
            seeds=(0,), device=torch.cuda.get_device_name() if CUDA else None,
            notes=" ".join(text for text in so_far["notes"].values() if text),
        )  # fmt: skip
        shown = {k: round(float(v), 4) for k, v in metrics.items() if "_at_" not in k}
        print(json.dumps(shown, indent=1), flush=True)


def settings(dry: bool, **changes) -> training.TrainConfig:
    """The paper's network (a tiny one in a dry run) with the paper's loss, in bf16, whatever else changes."""
    plain = {"compile": False, "mixed_precision": "bf16"}
    loss = changes.pop("loss", "paper")
    return training.make_config("paper-gpu", loss, **(plain | changes | (TINY if dry else {})))


def make_trainer(trial: Trial, config: training.TrainConfig, source, *, kind: type = Trainer, **parts) -> Trainer:
    """A trainer that runs its steps the way the trial says."""
    torch.backends.cudnn.benchmark = trial.benchmark
    torch._dynamo.reset()  # or the networks of earlier trials would count against its limit of recompilations
    config = replace(config, channels_last=trial.channels_last, compile=trial.compile == "default")
    trainer = kind(replace(config, batch_size=trial.batch_size), source, **parts)
    if trial.compile not in ("", "default"):
        trainer.encoder.network = torch.compile(trainer.encoder.network, mode=trial.compile)
    return trainer


def layers() -> dict:
    """Random frozen layers of the usual sizes."""
    return {"f_dec": nn.Linear(DIM, DECODER), "f_vgg": nn.Linear(DIM, CLASSES)}


def random_clips(n: int) -> ArraySource:
    """Noise in memory: how long a step takes does not depend on what is said."""
    rng = np.random.default_rng(0)
    v_f = rng.random((n, DIM), dtype=np.float32).astype(np.float16)
    logits = rng.standard_normal((n, CLASSES)).astype(np.float16)
    return ArraySource(rng.integers(-3000, 3000, (n, 96_000), dtype=np.int16), v_f, logits, np.arange(n))


def wait() -> None:
    """Let the GPU finish what it was given."""
    if CUDA:
        torch.cuda.synchronize()


def timed(step, repeats: int) -> float:
    """Mean seconds of a call, after two calls that do not count."""
    for _ in range(2):
        step()
    wait()
    begun = time.perf_counter()
    for _ in range(repeats):
        step()
    wait()
    return (time.perf_counter() - begun) / repeats
