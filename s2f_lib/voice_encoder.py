"""The voice encoder: six seconds of speech in, a face feature v_s out (Table 1 of the paper, and narrowed copies).

The preset ``paper`` is Table 1 exactly. The presets for the CPU, ``quick`` and ``standard``, keep the order of layers
(CONV -> ReLU -> BN nine times, max-pooling over time only, average over all time -> ReLU -> BN, two FC) and pad
nothing. They differ in: 1/2 to 1/4 of the channels; conv1 and conv2 already stride, over time and frequency; kernels
one frame long where little time is left, and no pooling behind conv5 and conv6, so that 3 s still fit; narrow FC
layers; conv1's start. ``presets/encoder`` holds every difference, field by field.
"""

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from s2f_lib import audio, config, io

N_CONV = 9
N_BINS = 257  # frequency bins of the input, 31.25 Hz apart
USUAL_SIZE = 0.42  # mean of a compressed magnitude of speech at the usual level
EPS = 1e-6  # mean sizes below this are silence
PAPER_PARAMETERS = 148_062_976  # Table 1 without padding; also printed by an independent reproduction


@dataclass(frozen=True)
class EncoderConfig:
    """What one voice encoder looks like; the defaults are Table 1 of the paper."""

    name: str = "paper"
    input: str = "complex"  # "complex": real and imaginary part; "magnitude": their joint size, one channel
    channels: tuple = (64, 64, 128, 128, 128, 256, 512, 512, 512)
    kernels: tuple = ((4, 4),) * 9  # (time, frequency)
    strides: tuple = ((1, 1),) * 7 + ((2, 2), (2, 2))  # (time, frequency)
    pools: tuple = (1, 1, 2, 2, 2, 2, 1, 1, 1)  # max-pooling over time behind each convolution, 1 = none
    hidden: int = 4096  # width of fc1
    feature_dim: int = 4096  # width of v_s
    batch_norm: bool = True
    groups: int = 0  # of channels, normalised clip by clip, in place of batch normalisation; 0 = none
    init: str = "default"  # or "he": He et al. (2015) before every ReLU, as networks without normalisation need it
    input_mean: float = 0.0  # taken from the input ...
    input_scale: float = 1.0  # ... which is then divided by this: it is standardised once, where nothing else does it
    normalise_level: bool = False  # scale every clip to the same mean size: v_s does not depend on loudness
    first_layer: str = "random"  # or "rectifiers", see rectifier_filters()

    PRESET_FOLDER: ClassVar[str] = "encoder"

    def __post_init__(self):
        for field in ("channels", "kernels", "strides", "pools"):
            value = getattr(self, field)
            if len(value) != N_CONV:
                raise ValueError(f"{field} needs {N_CONV} entries, one per convolution, got {len(value)}: {value}")
            frozen = tuple(tuple(v) if isinstance(v, (list, tuple)) else v for v in value)
            object.__setattr__(self, field, frozen)
        for field, first, second in (
            ("input", "complex", "magnitude"), ("init", "default", "he"), ("first_layer", "random", "rectifiers")
        ):  # fmt: skip
            if getattr(self, field) not in (first, second):
                raise ValueError(f"{field} must be {first!r} or {second!r}, got {getattr(self, field)!r}")
        if self.input_scale <= 0:
            raise ValueError(f"input_scale must be above 0, got {self.input_scale}")
        if any(self.groups and width % self.groups for width in self.channels):
            raise ValueError(f"groups must divide every number of channels, got {self.groups} for {self.channels}")

    @property
    def in_channels(self) -> int:
        """2 for the complex input, 1 for the magnitude."""
        return 2 if self.input == "complex" else 1


class LayerShape(NamedTuple):
    """One line of the layer walk: name and (channels, time, frequency) behind that layer."""

    name: str
    channels: int
    time: int
    frequency: int


def layer_walk(encoder: EncoderConfig, frames: int = 598) -> list[LayerShape]:
    """Follow the shape of one clip (598 frames for 6 s, 298 for 3 s) through the network, by arithmetic alone.

    Goes from the input to the average over time. Nothing is padded, so each layer loses ``kernel - 1``.

    Raises ValueError if the clip is too short; the message says at which layer, and the shortest clip that fits.
    """
    walk = [LayerShape("input", encoder.in_channels, frames, N_BINS)]
    time, frequency = frames, N_BINS
    for i in range(N_CONV):
        (kt, kf), (st, sf) = encoder.kernels[i], encoder.strides[i]
        time, frequency = (time - kt) // st + 1, (frequency - kf) // sf + 1
        pooled = time // encoder.pools[i]
        if time < 1 or pooled < 1 or frequency < 1:
            shortest = shortest_clip(encoder)
            raise ValueError(
                f"a clip of {frames} frames is too short for preset {encoder.name!r}: nothing is left at conv{i + 1}; "
                f"it needs {shortest} frames ({audio_seconds(shortest):.2f} s). audio.fit_to_clip() repeats short clips"
            )
        walk.append(LayerShape(f"conv{i + 1}", encoder.channels[i], time, frequency))
        if encoder.pools[i] > 1:
            time = pooled
            walk.append(LayerShape(f"pool{i + 1}", encoder.channels[i], time, frequency))
    walk.append(LayerShape("average", encoder.channels[-1], 1, frequency))
    return walk


def shortest_clip(encoder: EncoderConfig) -> int:
    """Fewest spectrogram frames that survive every layer (259 for the paper's network)."""
    time = 1
    for i in reversed(range(N_CONV)):
        time = (time * encoder.pools[i] - 1) * encoder.strides[i][0] + encoder.kernels[i][0]
    return time


def audio_seconds(frames: int) -> float:
    """Seconds of sound that give `frames` spectrogram frames (25 ms windows, one each 10 ms)."""
    return ((frames - 1) * audio.HOP_LENGTH + audio.WIN_LENGTH) / audio.SAMPLE_RATE


class VoiceEncoder(nn.Module):
    """CONV -> ReLU -> BN nine times, average over time -> ReLU -> BN, fc1 -> ReLU, fc2.

    Parameters
    ----------
    config : EncoderConfig or str
        A configuration or the name of a preset, e.g. ``"paper"``, ``"standard"``, ``"quick"``.

    Notes
    -----
    Source: Oh et al. (2019), Table 1. The ninth convolution has no ReLU and no BN of its own: they follow the
    average. The paper does not print its padding; without any, the parameter count is the published
    148,062,976. The momentum and epsilon of BN are not printed either; we keep PyTorch's.
    """

    def __init__(self, config: EncoderConfig | str = "paper"):
        super().__init__()
        self.config = preset(config) if isinstance(config, str) else config
        c = self.config
        self.gradient_checkpointing = False
        widths = (c.in_channels, *c.channels)
        self.convs = nn.ModuleList(
            nn.Conv2d(widths[i], widths[i + 1], c.kernels[i], c.strides[i]) for i in range(N_CONV)
        )
        norm = nn.BatchNorm2d if c.batch_norm else nn.Identity
        if c.groups:
            norm = partial(nn.GroupNorm, c.groups)
        self.norms = nn.ModuleList(norm(c.channels[i]) for i in range(N_CONV))  # the ninth stands behind the average
        flat = c.channels[-1] * layer_walk(c, shortest_clip(c))[-1].frequency
        self.fc1 = nn.Linear(flat, c.hidden)
        self.fc2 = nn.Linear(c.hidden, c.feature_dim)
        if c.init == "he":
            for layer in (*self.convs, self.fc1):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
        if c.first_layer == "rectifiers" and not self.convs[0].weight.is_meta:
            rectifier_filters_(self.convs[0])

    def forward(self, sound: Tensor) -> Tensor:
        """Predict the face feature of each clip.

        ValueError for sound of another shape, or too short for the network.

        Parameters
        ----------
        sound : Tensor
            Either waveforms (B, samples) at 16 kHz, float in [-1, 1] or int16, or compressed spectrograms
            (B, 2, frames, 257), or for an encoder of magnitudes these (B, frames, 257). At least `shortest_clip`
            frames; 6 s as in the paper, or any longer.

        Returns
        -------
        Tensor, shape (B, feature_dim)
            v_s. It is not bounded and not normalised, although its target is never negative.
        """
        if self.config.input == "magnitude" and sound.dim() in (2, 3):
            x = magnitude_of_sound(sound) if sound.dim() == 2 else sound[:, None].float()
            return self.network(self._long_enough(x))
        x = sound if sound.dim() == 4 else self.spectrogram(sound)
        if x.dim() != 4 or x.shape[1] != 2 or x.shape[3] != N_BINS:
            raise ValueError(
                f"expected waveforms (B, samples) or spectrograms (B, 2, frames, {N_BINS}), got {tuple(sound.shape)}"
            )
        x = self._long_enough(x)
        return self.network(magnitude(x) if self.config.input == "magnitude" else x)

    def _long_enough(self, x: Tensor) -> Tensor:
        if x.shape[2] < shortest_clip(self.config):
            layer_walk(self.config, x.shape[2])  # raises, and says where the clip runs out
        return x

    def network(self, x: Tensor) -> Tensor:
        """Everything behind the spectrogram; the part that torch.compile can take, see `compile_network`."""
        if self.config.normalise_level:
            x = x * (USUAL_SIZE / x.abs().mean(dim=(1, 2, 3), keepdim=True).clamp_min(EPS))
        if (self.config.input_mean, self.config.input_scale) != (0.0, 1.0):
            x = (x - self.config.input_mean) / self.config.input_scale
        if self.convs[0].weight.is_contiguous(memory_format=torch.channels_last):
            x = x.contiguous(memory_format=torch.channels_last)
        recompute = self.gradient_checkpointing and self.training and torch.is_grad_enabled()
        for i in range(N_CONV):
            x = checkpoint(self._block, i, x, use_reentrant=False) if recompute else self._block(i, x)
        x = self.norms[-1](torch.relu(x.mean(dim=2, keepdim=True)))  # (B, 512, 1, 57) in the paper
        return self.fc2(torch.relu(self.fc1(x.flatten(1))))

    def compile_network(self) -> None:
        """Compile what follows the spectrogram, for this object; weights and their names stay as they are."""
        self.network = torch.compile(self.network)

    def _block(self, i: int, x: Tensor) -> Tensor:
        x = self.convs[i](x)
        if i < N_CONV - 1:
            x = self.norms[i](x.relu_())  # in place: the convolution's gradient does not need its output
        pool = self.config.pools[i]
        return nn.functional.max_pool2d(x, (pool, 1)) if pool > 1 else x

    @staticmethod
    def spectrogram(waveform: Tensor) -> Tensor:
        """Waveforms (B, samples), float or int16, to compressed spectrograms (B, 2, frames, 257), on their device."""
        with torch.autocast(waveform.device.type, enabled=False):
            return audio.compressed_spectrogram(waveform, seconds=None)


def magnitude(spectrogram: Tensor) -> Tensor:
    """Compressed real and imaginary parts (B, 2, T, F) to the compressed magnitude abs(S) ** 0.3, (B, 1, T, F).

    The phase is lost: this is the named variant "magnitude", not the paper's input.
    """
    square = spectrogram.abs().clamp_min(1e-6).pow(2 / audio.POWER).sum(dim=1, keepdim=True)
    return square.pow(audio.POWER / 2)


def magnitude_of_sound(waveform: Tensor) -> Tensor:
    """`magnitude` of the spectrogram of waveforms (B, samples), (B, 1, T, 257), without going through its parts."""
    with torch.autocast(waveform.device.type, enabled=False):
        return audio.compressed_magnitude(waveform, seconds=None)


@torch.no_grad()
def rectifier_filters_(conv: nn.Conv2d, noise: float = 0.1) -> None:
    """Start the first layer with filters that look at one cell of the spectrogram each, in place.

    In the paper's input the sign of the real and of the imaginary part changes from frame to frame with the phase.
    A random 4x4 filter adds such cells up and its ReLU sees mostly noise; a filter on a single cell with
    weight +1 or -1 rectifies that cell, and the next layer can add the four rectified parts to something like
    the magnitude. The filters go through the signs, then the parts, then the cells of the kernel, frequency first. The
    share `noise` of the usual random start stays, so that equal filters can part.

    Ours, not the paper's: only the starting point of narrow presets, the network is the same.
    """
    out, parts, kt, kf = conv.weight.shape
    conv.weight.mul_(noise)
    conv.bias.zero_()
    cells = [(t, f) for t in _spread(kt) for f in range(kf)]
    for k in range(out):
        sign, part, cell = 1 - 2 * (k % 2), (k // 2) % parts, cells[(k // (2 * parts)) % len(cells)]
        conv.weight[k, part, cell[0], cell[1]] += sign


def _spread(n: int) -> list[int]:
    """0, n/2, then the rest: a short list of filters covers the kernel evenly in time."""
    first = [0, n // 2] if n > 1 else [0]
    return first + [t for t in range(n) if t not in first]


def preset(name: str, **changes) -> EncoderConfig:
    """The named configuration, with single fields changed if wanted; see `s2f_lib.config.preset`."""
    return config.preset(EncoderConfig, name, **changes)


def count_parameters(encoder: nn.Module) -> int:
    """Number of trained values."""
    return sum(p.numel() for p in encoder.parameters() if p.requires_grad)


def macs_per_clip(encoder: EncoderConfig, frames: int = 598) -> int:
    """Multiply-accumulates of one forward pass of one clip, convolutions and FC (about 89e9 for the paper)."""
    shapes = [s for s in layer_walk(encoder, frames) if s.name.startswith("conv")]
    widths = (encoder.in_channels, *encoder.channels)
    convs = sum(
        s.channels * s.time * s.frequency * widths[i] * math.prod(encoder.kernels[i]) for i, s in enumerate(shapes)
    )
    flat = encoder.channels[-1] * shapes[-1].frequency
    return convs + flat * encoder.hidden + encoder.hidden * encoder.feature_dim


def save(encoder: VoiceEncoder, path: str | Path, half: bool = True) -> None:
    """Write weights and configuration to one safetensors file (16-bit floats unless `half` is False), atomically."""
    io.write_tensors(path, encoder.state_dict(), config.to_dict(encoder.config), key="config", half=half)


def load(path: str | Path, device: str | torch.device = "cpu") -> VoiceEncoder:
    """Read an encoder written by `save`; float32, frozen for inference (eval mode), on `device`.

    Raises ValueError if the file is damaged, no voice encoder, or does not fit its own configuration.
    """
    tensors, shape = io.read_tensors(path)
    try:
        encoder = VoiceEncoder(config.from_dict(EncoderConfig, shape))
        missing, unexpected = encoder.load_state_dict(tensors, strict=False)
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"{path} holds no voice encoder that fits its configuration: {error}") from error
    missing = [key for key in missing if not key.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise ValueError(f"{path} does not fit its own configuration: missing {missing}, unexpected {unexpected}")
    return encoder.to(device).eval().requires_grad_(False)
