"""Optional changes to the sound during training: noise, a room, masked bands. Off in the paper's schedule."""

from __future__ import annotations

import torch
from torch import Tensor

from s2f_lib import audio

SNR_DB = (10.0, 40.0)  # of the added noise
REVERBERATION_S = (0.1, 0.5)  # until the room's echo has fallen by 60 dB
WETNESS = (0.02, 0.25)  # length of the echo beside the direct sound
MASKS = 2  # of each kind, per clip
MASK_BINS, MASK_FRAMES = 24, 40  # widest mask


def change_sound(waveform: Tensor, names: tuple[str, ...], generator: torch.Generator) -> Tensor:
    """Apply "noise" and "room", if named, to float waveforms (B, samples); every clip gets its own."""
    if "room" in names:
        waveform = add_room(waveform, generator)
    if "noise" in names:
        waveform = add_noise(waveform, generator)
    return waveform


def add_noise(waveform: Tensor, generator: torch.Generator) -> Tensor:
    """White noise at a random level between `SNR_DB`."""
    noise = torch.randn(waveform.shape, generator=generator, device=waveform.device)
    snr = _uniform(len(waveform), SNR_DB, generator)
    level = waveform.square().mean(dim=1, keepdim=True).sqrt() * 10 ** (-snr / 20)
    return waveform + noise * level


def add_room(waveform: Tensor, generator: torch.Generator) -> Tensor:
    """An exponentially dying random echo behind the direct sound; the loudness of the clip stays."""
    length = round(REVERBERATION_S[1] * audio.SAMPLE_RATE)
    time = torch.arange(length, device=waveform.device) / audio.SAMPLE_RATE
    decay = torch.exp(-6.9 * time / _uniform(len(waveform), REVERBERATION_S, generator))  # -60 dB at the end
    echo = torch.randn(decay.shape, generator=generator, device=waveform.device) * decay
    echo = echo / echo.norm(dim=1, keepdim=True) * _uniform(len(waveform), WETNESS, generator)
    echo[:, 0] += 1
    size = waveform.shape[1] + length
    wet = torch.fft.irfft(torch.fft.rfft(waveform, size) * torch.fft.rfft(echo, size), size)[:, : waveform.shape[1]]
    return wet * (waveform.norm(dim=1, keepdim=True) / wet.norm(dim=1, keepdim=True).clamp_min(1e-12))


def mask_bands(spectrogram: Tensor, generator: torch.Generator) -> Tensor:
    """SpecAugment without warping: silence random bands and stretches of each clip, (B, 2, T, F).

    Source: Park et al. (2019).
    """
    keep = torch.ones_like(spectrogram[:, :1])
    for dim, widest in ((2, MASK_FRAMES), (3, MASK_BINS)):
        size = spectrogram.shape[dim]
        place = torch.arange(size, device=spectrogram.device)
        for _ in range(MASKS):
            width = _uniform(len(spectrogram), (0, widest), generator)
            begin = _uniform(len(spectrogram), (0, 1), generator) * (size - width)
            band = (place >= begin) & (place < begin + width)  # (B, size)
            shape = (-1, 1, size, 1) if dim == 2 else (-1, 1, 1, size)
            keep = keep * (~band).view(shape)
    return spectrogram * keep


def _uniform(n: int, limits: tuple[float, float], generator: torch.Generator) -> Tensor:
    """One number per clip, (n, 1)."""
    low, high = limits
    return low + (high - low) * torch.rand((n, 1), generator=generator, device=generator.device)
