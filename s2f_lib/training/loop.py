"""One training loop for every network: mixed precision, several GPUs, checkpoints, exact resume, logs, patience.

`Trainer.fit` is the loop, and `Trainer.train_step` what happens in a step. A network brings four things: its settings
(a `LoopConfig`), batches, the terms of its loss, and a way to score it. The voice encoder does so in
`s2f_lib.training.voice`, the frozen face networks did in ``tools/`` of the repository.
"""

import contextlib
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from s2f_lib import config as settings
from s2f_lib import io
from s2f_lib.training import checkpoint, memory, sources
from s2f_lib.training.log import RunLog
from s2f_lib.training.settings import LoopConfig


class TrainingError(RuntimeError):
    """Training cannot go on; the message says where and what to do."""


class OutOfMemory(TrainingError):
    """A step does not fit into this machine's memory; the message says what does, where that can be counted."""


def learning_rate(config: LoopConfig, step: int) -> float:
    """Learning rate of a step (counted from 0); it depends on nothing else, so a resumed run follows the same curve."""
    if config.schedule == "constant":
        return config.learning_rate
    if config.schedule == "paper":
        return config.learning_rate * 0.95 ** (step / 10_000)
    warm = max(1, round(config.warm_up * config.max_steps))
    if step < warm:
        return config.learning_rate * (0.04 + 0.96 * (step + 1) / warm)
    done = (step - warm) / max(1, config.max_steps - warm)
    return config.learning_rate * max(0.5 * (1 + math.cos(math.pi * done)), 1e-4)


def make_optimizer(network: nn.Module, config: LoopConfig) -> torch.optim.Optimizer:
    """Adam as published where weight_decay is 0; otherwise AdamW, decaying kernels but not biases and BN."""
    trained = [p for p in network.parameters() if p.requires_grad]
    kernels, others = [p for p in trained if p.ndim > 1], [p for p in trained if p.ndim <= 1]
    groups = [{"params": kernels, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(
        groups, lr=config.learning_rate, betas=(config.beta1, config.beta2), eps=config.epsilon, fused=True
    )


def choose_device(name: str | None = None) -> torch.device:
    """The device by its name ("cpu", "cuda", "cuda:1"), or the fastest here; ValueError if there is no such one."""
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"no device is named {name!r}; there are cpu, cuda, cuda:0, cuda:1, ...") from error
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type not in ("cpu", "cuda") or (device.type == "cuda" and (device.index or 0) >= gpus):
        raise ValueError(f"{name!r} cannot be trained on: this machine has cpu and {gpus} CUDA devices")
    return device


class Trainer:
    """A network, its optimiser, and the loop that trains it.

    Parameters
    ----------
    network : nn.Module
        Trained in place.
    folder : str or Path, optional
        Of ``checkpoint.pt``, ``log.jsonl``, ``log.csv``, ``config.json`` and ``data.json``; None keeps nothing.
    about : dict, optional
        What the data say of themselves; a run keeps it, and does not go on with other data.
    device : str, optional
        By default a GPU if there is one; of several processes each takes its own.
    """

    unit = "example"
    score = ""  # name of the number in `evaluate` that patience watches; smaller is better

    def __init__(self, network: nn.Module, config: LoopConfig, folder=None, about=None, device: str | None = None):
        from accelerate import Accelerator

        self.config, self.folder, self.about = config, None if folder is None else Path(folder), about or {}
        self.accelerator = Accelerator(cpu=not torch.cuda.is_available(), device_placement=False)
        if device is not None and self.accelerator.num_processes > 1:
            raise ValueError(f"several processes cannot share device {device!r}; leave it out, each takes its own")
        self.device = self.accelerator.device if device is None else choose_device(device)
        network = network.to(self.device, memory_format=torch.channels_last)
        self.network, self.optimizer = self.accelerator.prepare(network, make_optimizer(network, config))
        self.step, self.seconds, self.stopped = 0, 0.0, ""
        self.best, self.bad_evaluations = float("inf"), 0
        self.window: list[dict] = []  # steps since the last line of the log
        self.log = RunLog()

    def batches(self, start: int) -> Iterator[sources.Batch]:
        """Endless batches from step `start` on; what they are must depend on nothing but the step."""
        raise NotImplementedError

    def losses(self, batch: sources.Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The number to minimise, and its terms by name, each a number per example or one for all."""
        raise NotImplementedError

    def evaluate(self) -> dict[str, float]:
        """Scores on examples that are not trained on; {} where there are none."""
        return {}

    def begin(self) -> None:
        """Called before the first step of a run that starts anew."""

    def finish(self, batches: Iterator[sources.Batch]) -> None:
        """Called after the last step, before its evaluation."""

    def extra_state(self) -> dict:
        """What else must be kept to go on exactly; handed to `load_extra_state` when a run goes on."""
        return {}

    def load_extra_state(self, state: dict) -> None:
        """Take back what `extra_state` gave."""

    def out_of_memory(self) -> str:
        """What to say when a step does not fit."""
        return f"a step of {self.config.batch_size} examples does not fit into memory; set a smaller batch_size"

    def fit(self, resume: bool = True, progress: bool = False) -> str:
        """Train to the end, or until patience is lost; gives why it ended: "max_steps", "max_seconds" or "patience".

        It goes on from the folder's checkpoint if there is one, unless `resume` is False, which deletes it. For what
        can go wrong see `s2f_lib.training.run`.
        """
        c = self.config
        with self._alone_in_folder(), memory.keep_freed_memory(self.device):
            self.resume() if resume else self.discard_checkpoint()
            self._describe()
            self.network.train()
            batches = sources.prefetch(self.batches(self.step), pin=self.device.type == "cuda")
            begun = time.perf_counter() - self.seconds
            with contextlib.closing(batches), self._bar(progress) as bar:
                while self.step < c.max_steps and not self.stopped:
                    self._guarded(next(batches))
                    self.step += 1
                    self.seconds = time.perf_counter() - begun
                    bar.update(c.batch_size)
                    late = self._is_late()
                    last = self.step == c.max_steps or late
                    if self.step % c.log_every == 0 or last:
                        bar.set_postfix(loss=f"{self._log_window()['loss']:.4g}", refresh=False)
                    if last:
                        self.finish(batches)
                    if self.step % c.evaluate_every == 0 or last:
                        self.stopped = "patience" if self._evaluate() else "max_seconds" if late else ""
                    if self.step % c.checkpoint_every == 0 or last or self.stopped:
                        self.save_checkpoint()
        return self.stopped or "max_steps"

    def train_step(self, batch: sources.Batch) -> None:
        """Loss, gradients, optimiser: one step on one batch."""
        batch = {key: value.to(self.device, non_blocking=True) for key, value in batch.items()}
        batch = {key: value.float() if value.dtype == torch.float16 else value for key, value in batch.items()}
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, self.step)
        total, terms = self.losses(batch)
        if not torch.isfinite(total.detach()):
            raise TrainingError(self._explain_nan(terms, batch))
        self.accelerator.backward(total)
        gradients = [p.grad for p in self.network.parameters() if p.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        means = {term: values.detach().mean() for term, values in terms.items()}
        self.window.append({"loss": total.detach(), "gradient_norm": norm, **means})

    def autocast(self):
        """Mixed precision where the settings ask for it."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.mixed_precision == "bf16")

    def resume(self) -> bool:
        """Go on from the folder's checkpoint; False where there is none, ValueError where it is of another run."""
        state = None if self.folder is None else checkpoint.load(self.folder)
        if state is None:
            return False
        try:
            checkpoint.check(state, self.config, self.about, self.folder)
            self.about = self.about or state.get("data", {})
            self.accelerator.unwrap_model(self.network).load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
            for key in ("step", "seconds", "stopped", "best", "bad_evaluations", "window"):
                setattr(self, key, state[key])
            self.log.lines = state["lines"]
            self.load_extra_state(state["extra"])
            checkpoint.restore_random_state(state)
        except (KeyError, TypeError, AttributeError, RuntimeError) as error:
            told = f"{self.folder / checkpoint.NAME} lacks what this run needs ({type(error).__name__}: {error})"
            raise ValueError(f"{told}; delete it to start this run again") from error
        return True

    def save_checkpoint(self) -> None:
        """Keep everything `resume` needs, as tensors and plain values; from the main process only."""
        if self.folder is not None and self.accelerator.is_main_process:
            state = {
                "config": settings.to_dict(self.config),
                "data": self.about,
                "network": self.accelerator.unwrap_model(self.network).state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "window": [{k: float(v) for k, v in entry.items()} for entry in self.window],
                "lines": self.log.lines,
                "extra": self.extra_state(),
            }
            plain = ("step", "seconds", "stopped", "best", "bad_evaluations")
            checkpoint.save(self.folder, state | {key: getattr(self, key) for key in plain})
            self.log.write_table()
        self.accelerator.wait_for_everyone()

    def discard_checkpoint(self) -> None:
        """Delete the folder's checkpoint: if this run dies before its own first one, the next begins anew as well."""
        if self.folder is not None and self.accelerator.is_main_process:
            (self.folder / checkpoint.NAME).unlink(missing_ok=True)
        self.accelerator.wait_for_everyone()

    def _alone_in_folder(self):
        """One training in a folder at a time: its checkpoint, log and settings belong to one run."""
        if self.folder is None or not self.accelerator.is_main_process:
            return contextlib.nullcontext()
        return io.locked(self.folder / checkpoint.NAME, wait=False, busy="another training writes in this folder")

    def _describe(self) -> None:
        """Write what the folder holds, and begin or go on with its log."""
        main = self.accelerator.is_main_process
        self.log = RunLog(self.folder if main else None, self.log.lines)
        if self.folder is not None and main:
            settings.save(self.config, self.folder / "config.json")
            with io.atomic_write(self.folder / sources.NOTE, "w") as file:
                json.dump(self.about, file, indent=2)
        if not self.log.lines:
            self.begin()

    def _bar(self, show: bool):
        """Progress in examples, with the time left and examples per second."""
        from tqdm.auto import tqdm

        total, done = self.config.max_steps * self.config.batch_size, self.step * self.config.batch_size
        show = show and self.accelerator.is_main_process
        return tqdm(total=total, initial=done, unit=self.unit, disable=not show, smoothing=0.05)

    def _guarded(self, batch: sources.Batch) -> None:
        """One step; if memory runs out, say so in words."""
        try:
            self.train_step(batch)
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
                raise
            raise OutOfMemory(self.out_of_memory()) from error

    def _explain_nan(self, terms: dict[str, Tensor], batch: sources.Batch) -> str:
        kept = f"the last checkpoint is in {self.folder}" if self.folder else "no folder was given, so nothing is kept"
        hint = f"Look at the clip, or lower learning_rate (now {learning_rate(self.config, self.step):.2g}); {kept}"
        for term, values in terms.items():
            bad = (~torch.isfinite(values.detach())).nonzero().flatten().tolist() if values.ndim else []
            if bad:
                names = batch["clip"][bad].tolist() if "clip" in batch else [f"{i} of the batch" for i in bad]
                shown = ", ".join(map(str, names[:5])) + (" ..." if len(names) > 5 else "")
                return f"the loss is not finite at step {self.step}: term {term!r}, clip {shown}. {hint}"
        return f"the loss is not finite at step {self.step}; no example is alone to blame. {hint}"

    def _log_window(self) -> dict:
        """Average the steps since the last line and log them."""
        values = {}
        for name in self.window[0]:
            values[name] = torch.stack([torch.as_tensor(entry[name], dtype=torch.float64) for entry in self.window])
        line = {name: value.mean().item() for name, value in values.items()}
        line["gradient_norm_sd"] = values["gradient_norm"].std(correction=0).item()
        self.window = []
        rate = self.step * self.config.batch_size / max(self.seconds, 1e-9)
        lr = learning_rate(self.config, self.step - 1)
        return self.log.add(
            "train", self.step, **line, learning_rate=lr, clips_per_s=round(rate, 2), seconds=round(self.seconds, 2)
        )

    def _is_late(self) -> bool:
        """Whether the time is up, in any of the processes."""
        if not self.config.max_seconds:
            return False
        late = torch.tensor([float(self.seconds > self.config.max_seconds)], device=self.device)
        return bool(self.accelerator.reduce(late, "sum").item())

    def _evaluate(self) -> bool:
        """Score in the main process and tell the others; True if patience is lost."""
        lost = torch.zeros(1, device=self.device)
        if self.accelerator.is_main_process and (scores := self.evaluate()):
            self.log.add("validation", self.step, **scores, seconds=round(self.seconds, 2))
            self.bad_evaluations = 0 if scores[self.score] < self.best else self.bad_evaluations + 1
            self.best = min(self.best, scores[self.score])
            lost += bool(self.config.patience and self.bad_evaluations >= self.config.patience)
        return bool(self.accelerator.reduce(lost, "sum").item())
