"""One training loop for a laptop, a GPU and several GPUs: mixed precision, checkpoints, exact resume, logs."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from s2f_lib import config as settings
from s2f_lib import hub, io, voice_encoder
from s2f_lib.audio import degrade
from s2f_lib.losses import VoiceLoss, gradient_magnitudes, rederive_weights
from s2f_lib.training import checkpoint, data, heap, memory, validate
from s2f_lib.training.log import RunLog
from s2f_lib.training.settings import TrainConfig
from s2f_lib.voice_encoder import VoiceEncoder


class TrainingError(RuntimeError):
    """Training cannot go on; the message says where and what to do."""


class OutOfMemory(TrainingError):
    """A step does not fit into this machine's memory; the message names a batch size that does."""


@dataclass
class Run:
    """What a training run leaves behind."""

    config: TrainConfig
    encoder: VoiceEncoder
    lines: list[dict] = field(repr=False)  # the log
    stopped: str = "max_steps"  # or "patience"
    folder: Path | None = None

    def curve(self, name: str, kind: str = "train") -> tuple[np.ndarray, np.ndarray]:
        """Steps and values of one logged number, e.g. ``curve("angle_deg", "validation")``."""
        rows = [(line["step"], line[name]) for line in self.lines if line["kind"] == kind and name in line]
        return tuple(np.array(rows, dtype=float).reshape(-1, 2).T)

    def final(self, name: str = "angle_deg", kind: str = "validation") -> float:
        """The last logged value of a number."""
        values = self.curve(name, kind)[1]
        if not len(values):
            raise KeyError(f"the run logged no {name!r} of kind {kind!r}")
        return float(values[-1])


def learning_rate(config: TrainConfig, step: int) -> float:
    """Learning rate of a step (counted from 0); it depends on nothing else, so a resumed run follows the same curve."""
    if config.schedule == "constant":
        return config.learning_rate
    if config.schedule == "paper":
        return config.learning_rate * 0.95 ** (step / 10_000)
    warm = max(1, round(0.1 * config.max_steps))
    if step < warm:
        return config.learning_rate * (0.04 + 0.96 * (step + 1) / warm)
    done = (step - warm) / max(1, config.max_steps - warm)
    return config.learning_rate * max(0.5 * (1 + math.cos(math.pi * done)), 1e-4)


def weights_of(name: str) -> Path:
    """The file of a trained encoder, given as a file or by its name in the hub."""
    return Path(name) if Path(name).is_file() else hub.find(name)


def make_optimizer(encoder: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Adam as published where weight_decay is 0; otherwise AdamW, decaying kernels but not biases and BN."""
    kernels = [p for p in encoder.parameters() if p.ndim > 1]
    others = [p for p in encoder.parameters() if p.ndim <= 1]
    groups = [{"params": kernels, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(
        groups, lr=config.learning_rate, betas=(config.beta1, config.beta2), eps=config.epsilon, fused=True
    )


def make_encoder(config: TrainConfig, source) -> VoiceEncoder:
    """The network at its start, with v_s as wide as the source's v_f: drawn from the run's seed, or one trained before.

    Raises
    ------
    ValueError
        If the encoder to start from is not of the wanted shape; the message names what differs.
    """
    mean = source.mean_feature
    torch.manual_seed(config.seed)
    changes = {"feature_dim": len(mean)} | dict(config.encoder_changes)
    wanted = voice_encoder.preset(config.encoder, **changes)
    if config.start_from:
        encoder = voice_encoder.load(weights_of(config.start_from))
        mine, its = settings.to_dict(wanted), settings.to_dict(encoder.config)
        differences = [f"{key} {its[key]!r} instead of {value!r}" for key, value in mine.items() if its[key] != value]
        if differences:
            raise ValueError(f"cannot go on from {config.start_from}: it has {'; '.join(differences)}")
        return encoder.requires_grad_(True).train()
    encoder = VoiceEncoder(wanted)
    if config.start_from_mean:
        with torch.no_grad():
            encoder.fc2.bias.copy_(torch.from_numpy(mean))
            encoder.fc2.weight.zero_()  # or the first steps would silence fc1 to get rid of its random answer
    return encoder


class Trainer:
    """State of one run and what can be done with it; `s2f_lib.training.run` is the short way."""

    def __init__(self, config: TrainConfig, source, *, f_dec=None, f_vgg=None, validation=None, folder=None):
        from accelerate import Accelerator

        self.config, self.source, self.validation = config, data.as_source(source), validation
        self.about = getattr(self.source, "about", {})  # which clips they are, where the source says so
        self.accelerator = Accelerator(cpu=not torch.cuda.is_available())
        self.device = self.accelerator.device
        self.folder = None if folder is None else Path(folder)
        self.loss = VoiceLoss(config.loss, f_dec, f_vgg).to(self.device)
        self.encoder = make_encoder(config, self.source)
        self.encoder.gradient_checkpointing = config.gradient_checkpointing
        if config.channels_last:
            self.encoder = self.encoder.to(memory_format=torch.channels_last)
        if config.compile:
            self.encoder.compile_network()
        optimizer = make_optimizer(self.encoder.to(self.device), config)
        self.network, self.optimizer = self.accelerator.prepare(self.encoder, optimizer)
        self.step, self.seconds, self.best, self.waited = 0, 0.0, float("inf"), 0
        self.window: list[dict] = []  # steps since the last line of the log
        self.log = RunLog()

    # ---- going on from a checkpoint ----------------------------------------------------------------------------

    def state(self) -> dict:
        """Everything `resume` needs, as tensors and plain values."""
        return {
            "config": settings.to_dict(self.config),
            "data": self.about,
            "loss": settings.to_dict(self.loss.config),
            "encoder": self.encoder.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "best": self.best,
            "waited": self.waited,
            "window": [{k: float(v) for k, v in entry.items()} for entry in self.window],
            "lines": self.log.lines,
        }

    def resume(self) -> bool:
        """Go on from the folder's checkpoint; False where there is none.

        Raises
        ------
        ValueError
            If the checkpoint belongs to other settings or other clips; the message names the first that differs.
        """
        state = None if self.folder is None else checkpoint.load(self.folder)
        if state is None:
            return False
        self._check(state)
        self.about = self.about or state.get("data", {})
        self.encoder.load_state_dict(state["encoder"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.loss.config = settings.from_dict(type(self.loss.config), state["loss"])
        for key in ("step", "seconds", "best", "waited", "window"):
            setattr(self, key, state[key])
        self.log.lines = state["lines"]
        checkpoint.restore_random_state(state["random"])
        return True

    def _check(self, state: dict) -> None:
        """Refuse a checkpoint of other settings or other clips; one that says nothing of its clips is taken."""
        mine = settings.to_dict(self.config)
        for key, value in state["config"].items():
            if mine.get(key) != value and key != "max_steps":
                raise ValueError(
                    f"{self.folder} holds a run with {key} = {value!r}, not {mine.get(key)!r}; "
                    "choose another folder, or the same settings, or resume=False to begin again"
                )
        if mine["max_steps"] != state["config"]["max_steps"] and self.config.schedule == "one_cycle":
            raise ValueError(
                f"{self.folder} holds a run planned for {state['config']['max_steps']} steps; its learning rate "
                "follows that plan, so max_steps cannot change. Choose schedule='constant' or 'paper' for open ends"
            )
        for key, value in state.get("data", {}).items() if self.about else ():
            if self.about.get(key) != value:
                raise ValueError(
                    f"{self.folder} holds a run on other clips, with {key} = {value!r}, not {self.about.get(key)!r}; "
                    "choose another folder, or the same clips, or resume=False (--restart) to begin again"
                )

    def forget(self) -> None:
        """Delete the folder's checkpoint: if this run dies before its own first one, the next begins anew as well."""
        if self.folder is not None and self.accelerator.is_main_process:
            (self.folder / checkpoint.NAME).unlink(missing_ok=True)
        self.accelerator.wait_for_everyone()

    def checkpoint(self) -> None:
        """Write the state, from the main process only."""
        if self.folder is not None and self.accelerator.is_main_process:
            checkpoint.save(self.folder, self.state())
        self.accelerator.wait_for_everyone()

    # ---- one step ----------------------------------------------------------------------------------------------

    def train_step(self, batch: data.Batch) -> None:
        """Spectrogram, network, loss, gradients, optimiser: one step on one batch."""
        batch = {key: value.to(self.device, non_blocking=True) for key, value in batch.items()}
        batch = {key: value.float() if value.dtype == torch.float16 else value for key, value in batch.items()}
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, self.step)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.mixed_precision == "bf16"):
            v_s = self.network(self._sound(batch["waveform"]))
        if self.config.rederive_at and self.step == self.config.rederive_at:
            self._rederive(v_s, batch)
        total, terms = self.loss(v_s, batch)
        if not torch.isfinite(total.detach()):
            raise TrainingError(self._explain_nan(terms, batch))
        self.accelerator.backward(total)
        longest = self.config.clip_gradient or float("inf")
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), longest)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        means = {term: values.detach().mean() for term, values in terms.items()}
        self.window.append({"loss": total.detach(), "gradient_norm": norm, **means})

    def _sound(self, waveform: Tensor) -> Tensor:
        """The sound as it goes into the network: the waveform, or the spectrogram where something is changed in it."""
        names = self.config.augment
        if not names:
            return waveform
        generator = torch.Generator(self.device)
        generator.manual_seed(hash((self.config.seed, self.step, self.accelerator.process_index)))
        with torch.no_grad():
            if not waveform.is_floating_point():
                waveform = waveform.float() / 32_768
            if "room" in names:
                waveform = degrade.random_room(waveform, generator)
            if "noise" in names:
                waveform = degrade.random_noise(waveform, generator)
            if "spec" not in names:
                return waveform
            return degrade.mask_bands(self.encoder.spectrogram(waveform), generator)

    def _rederive(self, v_s: Tensor, batch: data.Batch) -> None:
        """Balance the terms by the paper's rule, on this batch, with the same weights in every process."""
        magnitudes = gradient_magnitudes(self.loss, v_s, batch)
        names = sorted(magnitudes)
        values = torch.tensor([magnitudes[name] for name in names], device=self.device)
        values = self.accelerator.reduce(values, "mean").tolist()
        magnitudes = dict(zip(names, values))
        self.loss.config = rederive_weights(magnitudes, self.loss.config)
        self.log.add("rederived", self.step, gradient_magnitudes=magnitudes, weights=self.loss.config.weights())

    def _explain_nan(self, terms: dict[str, Tensor], batch: data.Batch) -> str:
        kept = f"the last checkpoint is in {self.folder}" if self.folder else "no folder was given, so nothing is kept"
        hint = f"Look at the clip, or lower learning_rate (now {learning_rate(self.config, self.step):.2g}); {kept}"
        for term, values in terms.items():
            bad = (~torch.isfinite(values)).nonzero().flatten().tolist()
            if bad:
                names = batch["clip"][bad].tolist() if "clip" in batch else [f"{i} of the batch" for i in bad]
                shown = ", ".join(map(str, names[:5])) + (" ..." if len(names) > 5 else "")
                return f"the loss is not finite at step {self.step}: term {term!r}, clip {shown}. {hint}"
        return f"the loss is not finite at step {self.step}, although each term is: the sum overflowed. {hint}"

    # ---- the run -----------------------------------------------------------------------------------------------

    def fit(self, progress: bool = False) -> Run:
        """Train to the end, or until patience is lost."""
        with heap.kept(self.device):
            stopped = self._steps(progress)
        settings_then = replace(self.config, loss=self.loss.config)
        return Run(settings_then, self.encoder.eval(), self.log.lines, stopped, self.folder)

    def _steps(self, progress: bool) -> str:
        """The steps that are left, with their logs, scores and checkpoints; gives the reason to stop."""
        c, a = self.config, self.accelerator
        plan = data.Plan(c.batch_size, c.seed, a.process_index, a.num_processes, c.seconds, c.random_start)
        self.log = RunLog(self.folder if a.is_main_process else None, self.log.lines)
        if self.folder is not None and a.is_main_process:
            settings.save(c, self.folder / "config.json")
            with io.atomic_write(self.folder / data.NOTE, "w") as file:
                json.dump(self.about, file, indent=2)
        if c.start_from and not self.log.lines:
            self.log.add("started", 0, name=c.start_from, sha256=io.sha256(weights_of(c.start_from)))
        batches = data.prefetch(self.source.batches(plan, self.step), pin=self.device.type == "cuda")
        stopped, begun = "max_steps", time.perf_counter() - self.seconds
        self.network.train()
        bar = _bar(c, self.step, progress and a.is_main_process)
        try:
            while self.step < c.max_steps and stopped == "max_steps":
                self._guarded(next(batches))
                self.step += 1
                self.seconds = time.perf_counter() - begun
                bar.update(c.batch_size)
                last = self.step == c.max_steps
                if self.step % c.log_every == 0 or last:
                    bar.set_postfix(loss=f"{self._write_window()['loss']:.4g}", refresh=False)
                if last and c.settle_batches:
                    self._settle(batches)
                if self.validation is not None and (self.step % c.evaluate_every == 0 or last):
                    stopped = self._validate()
                if self.step % c.checkpoint_every == 0 or last or stopped != "max_steps":
                    self.checkpoint()
        finally:
            bar.close()
            batches.close()
        return stopped

    @torch.no_grad()
    def _settle(self, batches) -> None:
        """Average the statistics of batch normalisation over many batches, with the weights at rest.

        While training they follow the last ten batches or so, and what the network says changes with whichever those
        were ("precise BN", Wu and Johnson, 2021).
        """
        layers = [m for m in self.encoder.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        momenta = [layer.momentum for layer in layers]
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None  # which to torch means a plain average
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.mixed_precision == "bf16"):
            for _ in range(self.config.settle_batches):
                self.network(self._sound(next(batches)["waveform"].to(self.device)))
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum

    def _guarded(self, batch: data.Batch) -> None:
        """One step; if memory runs out, say which batch size fits."""
        try:
            self.train_step(batch)
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
                raise
            share = self.config.batch_size // self.accelerator.num_processes
            total = memory.device_bytes(self.device)
            text = memory.explain_out_of_memory(self.encoder.config, share, self.config.mixed_precision, total)
            raise OutOfMemory(text) from error

    def _write_window(self) -> dict:
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

    def _validate(self) -> str:
        """Score the validation clips in the main process and tell the others; gives the reason to stop, if any."""
        stop = torch.zeros(1, device=self.device)
        if self.accelerator.is_main_process:
            v_s = validate.predict(self.encoder, self.validation, device=self.device, seconds=None)
            scores = validate.quick_scores(v_s, validate.targets(self.validation))
            self.log.add("validation", self.step, **scores, seconds=round(self.seconds, 2))
            better = scores["angle_deg"] < self.best
            self.best, self.waited = min(self.best, scores["angle_deg"]), 0 if better else self.waited + 1
            stop += bool(self.config.patience and self.waited >= self.config.patience)
        return "patience" if self.accelerator.reduce(stop, "sum").item() else "max_steps"


def _bar(config: TrainConfig, step: int, show: bool):
    """Progress in clips, with the time left and clips per second."""
    from tqdm.auto import tqdm

    total, done = config.max_steps * config.batch_size, step * config.batch_size
    return tqdm(total=total, initial=done, unit="clip", disable=not show, smoothing=0.05)
