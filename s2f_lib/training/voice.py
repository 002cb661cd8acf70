"""Training the voice encoder: what it brings to the loop of `s2f_lib.training.loop`."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from s2f_lib import config as settings
from s2f_lib import hub, io, voice_encoder
from s2f_lib.audio import degrade
from s2f_lib.losses import LossConfig, VoiceLoss, gradient_magnitudes, rederive_weights
from s2f_lib.training import memory, sources, validate
from s2f_lib.training.loop import Trainer
from s2f_lib.training.settings import TrainConfig
from s2f_lib.voice_encoder import VoiceEncoder

SPEECHLESS = 0.04  # share of clips that "no_speech" turns into noise


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
        """The last logged value of a number. KeyError if it was never logged."""
        values = self.curve(name, kind)[1]
        if not len(values):
            raise KeyError(f"the run logged no {name!r} of kind {kind!r}")
        return float(values[-1])


def weights_of(name: str) -> Path:
    """The file of a trained encoder, given as a file or by its name in the hub."""
    path = Path(name).expanduser()
    return path if path.is_file() else hub.find(name)


def make_encoder(config: TrainConfig, source) -> VoiceEncoder:
    """The network at its start, with v_s as wide as the source's v_f: drawn from the run's seed, or one trained before.

    ValueError names what differs if the encoder to start from is not of the wanted shape.
    """
    mean = source.mean_feature
    torch.manual_seed(config.seed)
    wanted = config.network(feature_dim=len(mean))
    if config.init_from:
        encoder = voice_encoder.load(weights_of(config.init_from))
        mine, its = settings.to_dict(wanted), settings.to_dict(encoder.config)
        its["normalise_level"] = wanted.normalise_level  # says how loud the input is, not what the layers are
        differences = [f"{key} {its[key]!r} instead of {value!r}" for key, value in mine.items() if its[key] != value]
        if differences:
            raise ValueError(f"cannot go on from {config.init_from}: it has {'; '.join(differences)}")
        encoder.config = wanted
        return encoder.requires_grad_(True).train()
    encoder = VoiceEncoder(wanted)
    if config.start_from_mean:
        with torch.no_grad():
            encoder.fc2.bias.copy_(torch.from_numpy(mean))
            encoder.fc2.weight.zero_()  # or the first steps would silence fc1 to get rid of its random answer
    return encoder


class VoiceTrainer(Trainer):
    """A voice encoder, clips, the paper's loss and its frozen layers; for the parameters see `s2f_lib.training.run`."""

    unit, score = "clip", "angle_deg"

    def __init__(
        self,
        config: TrainConfig,
        source,
        *,
        f_dec=None,
        f_vgg=None,
        validation=None,
        command="",
        folder=None,
        device=None,
    ):
        self.source, self.validation, self.command = source, validation, command
        loss = VoiceLoss(config.loss, f_dec, f_vgg)
        self.encoder = make_encoder(config, self.source)
        self.encoder.gradient_checkpointing = config.gradient_checkpointing
        if config.compile:
            self.encoder.compile_network()
        super().__init__(self.encoder, config, folder, getattr(self.source, "about", {}), device)
        self.loss = loss.to(self.device)

    @cached_property
    def mean_feature(self) -> Tensor:
        """The answer to a clip in which nobody speaks, (D,)."""
        return torch.from_numpy(self.source.mean_feature).to(self.device)

    def begin(self) -> None:
        """Note by which command the run was started, and from which weights."""
        facts = {"command": self.command} if self.command else {}
        if name := self.config.init_from:
            facts |= {"name": name, "sha256": io.sha256(weights_of(name))}
        if facts:
            self.log.add("started", 0, **facts)

    def batches(self, start: int) -> Iterator[sources.Batch]:
        """This process's share of the clips of each step."""
        c, a = self.config, self.accelerator
        plan = sources.Plan(c.batch_size, c.seed, a.process_index, a.num_processes, c.seconds, c.random_start)
        return self.source.batches(plan, start)

    def losses(self, batch: sources.Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Spectrogram, network, loss; at the given step its weights are derived anew first."""
        with torch.no_grad():
            sound = self._sound(batch)
        with self.autocast():
            v_s = self.network(sound)
        if self.config.rederive_at and self.step == self.config.rederive_at:
            self._rederive(v_s, batch)
        return self.loss(v_s, batch)

    def evaluate(self) -> dict[str, float]:
        """Angle and retrieval on the validation clips."""
        if self.validation is None:
            return {}
        v_s = validate.predict(self.encoder, self.validation, device=self.device, seconds=None)
        return validate.quick_scores(v_s, validate.targets(self.validation))

    def extra_state(self) -> dict:
        """The weights of the loss, which may have been derived anew."""
        return settings.to_dict(self.loss.config)

    def load_extra_state(self, state: dict) -> None:
        """Take them back."""
        self.loss.config = settings.from_dict(LossConfig, state)

    @torch.no_grad()
    def finish(self, batches: Iterator[sources.Batch]) -> None:
        """Average the statistics of batch normalisation over many batches, with the weights at rest.

        While training they follow the last ten batches or so, and what the network says changes with whichever those
        were ("precise BN", Wu and Johnson, 2021).
        """
        if not self.config.recalibrate_bn_batches:
            return
        layers = [m for m in self.encoder.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        momenta = [layer.momentum for layer in layers]
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None  # which to torch means a plain average
        with self.autocast():
            for _ in range(self.config.recalibrate_bn_batches):
                batch = {key: value.to(self.device) for key, value in next(batches).items()}
                self.network(self._sound(batch))
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum

    def out_of_memory(self) -> str:
        """Which batch size fits."""
        share = self.config.batch_size // self.accelerator.num_processes
        return memory.explain_out_of_memory(self.encoder.config, share, self.config.mixed_precision, self.device)

    def result(self, stopped: str) -> Run:
        """What a page works with: the encoder, frozen, and the log."""
        settings_then = replace(self.config, loss=self.loss.config)
        return Run(settings_then, self.encoder.eval(), self.log.lines, stopped, self.folder)

    def _sound(self, batch: sources.Batch) -> Tensor:
        """The sound as it goes into the network: the waveform, or the spectrogram where something is changed in it."""
        names, sound = set(self.config.augment), batch["waveform"]
        if not names:
            return sound
        if sound.dim() == 2:
            sound = voice_encoder.magnitude_of_sound(sound)[:, 0]
        if "channel" in names:
            sound = degrade.random_channel(sound, self._generator())
        return self._some_speechless(sound, batch) if "no_speech" in names else sound

    def _some_speechless(self, sound: Tensor, batch: sources.Batch) -> Tensor:
        """Noise alone instead of some clips' magnitudes; their targets in the batch become those of the mean face."""
        generator = self._generator(1)
        rows = torch.rand(len(sound), generator=generator, device=self.device) < SPEECHLESS
        sound = sound.float().clone()
        sound[rows] = degrade.noise_alone(int(rows.sum()), *sound.shape[1:], generator)
        batch["v_f"][rows] = self.mean_feature.to(batch["v_f"])
        if self.loss.f_vgg is not None:
            batch["logits"][rows] = self.loss.f_vgg(self.mean_feature).to(batch["logits"])
        return sound

    def _generator(self, *purpose: int) -> torch.Generator:
        """Random numbers of this step and process."""
        seed = hash((self.config.seed, self.step, self.accelerator.process_index, *purpose))
        return torch.Generator(self.device).manual_seed(seed)

    def _rederive(self, v_s: Tensor, batch: sources.Batch) -> None:
        """Balance the terms by the paper's rule, on this batch, with the same weights in every process."""
        magnitudes = gradient_magnitudes(self.loss, v_s, batch)
        names = sorted(magnitudes)
        values = torch.tensor([magnitudes[name] for name in names], device=self.device)
        values = self.accelerator.reduce(values, "mean").tolist()
        magnitudes = dict(zip(names, values))
        self.loss.config = rederive_weights(magnitudes, self.loss.config)
        self.log.add("rederived", self.step, gradient_magnitudes=magnitudes, weights=self.loss.config.weights())
