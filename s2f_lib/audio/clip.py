"""A clip: six seconds of mono sound at 16 kHz, and how a waveform becomes one."""

from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

SAMPLE_RATE = 16_000  # Hz
CLIP_SECONDS = 6.0  # s
RATES = (1000, 768_000)  # Hz, of recordings that we read
MAX_CHANNELS = 64
MAX_PHASES = 2000  # of the resampling filter; a rate that wants more is rounded, by less than one in ten thousand
MAX_ABS = 4.0  # float samples above this are not sound in [-1, 1] but, most often, integers saved as floats


class AudioError(ValueError):
    """A recording cannot be used; the message says what came in and what was wanted."""


def to_mono(samples: np.ndarray) -> np.ndarray:
    """Average channels and scale integers: (samples,) or (channels, samples), any dtype -> (samples,) float32.

    Of channels that cancel each other (opposite phase) the loudest is taken instead.
    """
    samples = np.asarray(samples)
    if samples.ndim not in (1, 2) or samples.size == 0:
        raise AudioError(f"expected (samples,) or (channels, samples) with at least one sample, got {samples.shape}")
    if samples.ndim == 2 and len(samples) > MAX_CHANNELS:
        raise AudioError(f"expected (channels, samples), got {samples.shape}, {len(samples)} channels; transpose it")
    samples = scaled(samples)
    if samples.ndim == 1:
        return np.ascontiguousarray(samples, dtype=np.float32)
    mono = samples.mean(axis=0)
    if len(samples) > 1 and cancels(powers := np.square(samples).sum(axis=1), float(np.dot(mono, mono))):
        mono = samples[int(np.argmax(powers))]
    return np.ascontiguousarray(mono, dtype=np.float32)


def scaled(samples: np.ndarray) -> np.ndarray:
    """Samples of any type as floating point; integers are brought to [-1, 1]."""
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - 128) / 128
    if np.issubdtype(samples.dtype, np.signedinteger):
        return samples / -float(np.iinfo(samples.dtype).min)
    if not np.issubdtype(samples.dtype, np.floating):
        raise AudioError(f"expected floating-point or integer samples, got {samples.dtype}")
    return samples


def cancels(powers: np.ndarray, mixed: float) -> bool:
    """Whether the average of channels has less than a tenth of the power that unlike channels would give it.

    `powers` are the sums of squares of the channels, `mixed` is that of their average. One channel alone gives
    ``sum(powers) / n ** 2``, n equal ones n times that, two of opposite phase nothing.
    """
    return len(powers) > 1 and mixed < 0.1 * float(np.sum(powers)) / len(powers) ** 2


def check_rate(rate: float | None, name: object) -> int:
    """A sample rate (Hz) that a recording may have."""
    if not rate or not RATES[0] <= rate <= RATES[1]:
        raise AudioError(f"{name}: a sample rate of {rate or 0} Hz; wanted are {RATES[0]} to {RATES[1]} Hz")
    return round(rate)


def resample(waveform: np.ndarray, sample_rate: float) -> np.ndarray:
    """Bring mono sound to 16 kHz with a windowed-sinc filter (torchaudio); (samples,) -> (samples,) float32.

    Rates without a large common divisor with 16,000 (44,101 Hz) would need a filter of gigabytes; they are rounded to
    a near ratio, which changes pitch and length by less than one in ten thousand.
    """
    rate = check_rate(sample_rate, "sound")
    ratio = Fraction(rate, SAMPLE_RATE)
    if max(ratio.numerator, ratio.denominator) > 2 * MAX_PHASES:
        ratio = ratio.limit_denominator(max(1, int(MAX_PHASES / max(1.0, float(ratio)))))
    if ratio == 1:
        return np.asarray(waveform, dtype=np.float32)
    from torchaudio.functional import resample as sinc

    sound = torch.as_tensor(np.ascontiguousarray(waveform, dtype=np.float32))
    return sinc(sound, ratio.numerator, ratio.denominator, lowpass_filter_width=32).numpy()


def fit_to_clip(waveform: np.ndarray | Tensor, seconds: float = CLIP_SECONDS) -> np.ndarray | Tensor:
    """Cut mono sound (samples,) at 16 kHz to its first six seconds, or repeat it until it is that long.

    Gives (round(seconds * 16_000),) of the type that came in. Silence stays silence.

    Raises
    ------
    AudioError
        If it is empty, not mono, or holds NaN or infinite values.

    Examples
    --------
    >>> fit_to_clip(np.array([0.1, 0.2, 0.3]), seconds=7 / 16_000)
    array([0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1])
    """
    if waveform.ndim != 1:
        raise AudioError(f"expected mono sound of shape (samples,), got {tuple(waveform.shape)}; to_mono() averages")
    wanted, length = round(seconds * SAMPLE_RATE), waveform.shape[0]
    if length == 0 or wanted < 1:
        raise AudioError(f"cannot make a clip of {wanted} samples from {length} samples")
    finite = torch.isfinite(waveform).all() if isinstance(waveform, Tensor) else np.isfinite(waveform).all()
    if not finite:
        raise AudioError("the waveform holds NaN or infinite values; the recording is damaged")
    if length >= wanted:
        return waveform[:wanted]
    copies = -(-wanted // length)
    repeated = waveform.repeat(copies) if isinstance(waveform, Tensor) else np.tile(waveform, copies)
    return repeated[:wanted]


def check(waveform: np.ndarray, name: str) -> np.ndarray:
    """Refuse what is not sound; cut overshoots at 1."""
    if waveform.size == 0:
        raise AudioError(f"{name} holds no sound (0 samples)")
    peak = float(np.abs(waveform).max())
    if not np.isfinite(peak):
        raise AudioError(f"{name} holds NaN or infinite values; the recording is damaged")
    if peak > MAX_ABS:
        raise AudioError(
            f"{name} reaches {peak:.0f}, wanted are samples in [-1, 1]; if they are integers saved as floats, "
            "divide by 32768"
        )
    return np.clip(waveform, -1.0, 1.0).astype(np.float32, copy=False)
