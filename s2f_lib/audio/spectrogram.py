"""A clip to the paper's compressed complex spectrogram, and back."""

import numpy as np
import torch
from torch import Tensor

from s2f_lib.audio import _fast
from s2f_lib.audio._fast import POWER
from s2f_lib.audio.clip import CLIP_SECONDS, SAMPLE_RATE, AudioError

N_FFT = 512  # samples, zero-padded frame; 257 bins of 31.25 Hz
WIN_LENGTH = 400  # samples, 25 ms
HOP_LENGTH = 160  # samples, 10 ms


def compressed_spectrogram(waveform: np.ndarray | Tensor, seconds: float | None = CLIP_SECONDS) -> Tensor:
    """Turn six seconds of speech into the input of the voice encoder.

    The real and the imaginary part of the STFT are compressed separately by ``sgn(x) * abs(x) ** 0.3``, so that quiet
    harmonics are not drowned by loud ones and the phase is kept. Runs on the device of the waveform and can be
    differentiated; clips of a batch do not touch each other.

    Parameters
    ----------
    waveform : np.ndarray or Tensor, shape (B, 96_000) or (96_000,)
        Mono speech at 16 kHz: floating point in [-1, 1], or int16. See `fit_to_clip`.
    seconds : float or None
        Length that is wanted; None takes any length of at least one frame (400 samples).

    Returns
    -------
    Tensor, shape (B, 2, 598, 257), float32
        Clip, (real, imaginary), frame, frequency bin. B is 1 for a single waveform. In general there are
        ``(samples - 400) // 160 + 1`` frames: nothing is added at the ends, hence 598 as in the paper and not the 601
        of a centred STFT. On the CPU both parts of a bin lie side by side in memory (channels last).

    Raises
    ------
    AudioError
        Wrong shape or length, or NaN (looked for on the CPU only: on a GPU the look would stall the queue).

    Notes
    -----
    Source: Oh et al. (2019), section 3; the compression follows Ephrat et al. (2018). We use a periodic Hann window;
    the paper does not say which. Frames of 400 samples are padded with zeros to 512: ``torch.stft(n_fft=512,
    win_length=400, center=False)`` takes frames of 512 samples instead and gives 597 of them. Below 1e-10 the
    compression is linear; without that its gradient at silence would be infinite.

    Examples
    --------
    >>> compressed_spectrogram(np.zeros(96_000)).shape
    torch.Size([1, 2, 598, 257])
    """
    return _compressed_stft(_as_batch(waveform, seconds), parts=2)


def compressed_magnitude(waveform: np.ndarray | Tensor, seconds: float | None = CLIP_SECONDS) -> Tensor:
    """The size of the same complex numbers by the same power, ``abs(S) ** 0.3``: not the paper's input, no phase.

    Takes and refuses what `compressed_spectrogram` does; gives (B, 1, 598, 257).
    """
    return _compressed_stft(_as_batch(waveform, seconds), parts=1)


def _compressed_stft(sound: Tensor, parts: int) -> Tensor:
    """(B, samples) -> (B, parts, frames, 257): real and imaginary part, or the size alone."""
    if sound.device.type == "cpu" and not sound.requires_grad and not torch.compiler.is_compiling():
        return _clip_by_clip(sound, parts)
    room = (0, N_FFT - WIN_LENGTH)  # for the FFT: frames of 512, in which the window is 0 behind 400
    frames = torch.nn.functional.pad(sound, room).unfold(-1, N_FFT, HOP_LENGTH)
    spectrum = torch.fft.rfft(frames * torch.nn.functional.pad(_window(sound), room))
    x = torch.stack((spectrum.real, spectrum.imag), dim=1) if parts == 2 else spectrum.abs()[:, None]
    return x * _fast.gain(x)


def _clip_by_clip(sound: Tensor, parts: int) -> Tensor:
    """The same with one buffer for all clips, so that what is worked on stays in the processor's cache.

    Each of torch's threads takes clip after clip and waits for no other: threads that share one clip wait for each
    other at every step, which on a busy machine takes several times as long as one thread alone.
    """
    frames, compress = sound.unfold(-1, WIN_LENGTH, HOP_LENGTH), _fast.kernel()
    result = np.empty((len(sound), frames.shape[1], N_FFT // 2 + 1, parts), np.float32)  # large pages, unlike torch's
    left = iter(list(zip(frames, result, strict=True)))

    def work(_: int) -> None:
        window, padded = _window(sound), torch.zeros(frames.shape[1], N_FFT)
        for clip, place in left:
            torch.mul(clip, window, out=padded[:, :WIN_LENGTH])
            spectrum = torch.fft.rfft(padded).numpy()
            x = spectrum.view(np.float32) if parts == 2 else np.abs(spectrum)
            compress(x.reshape(-1), place.reshape(-1))

    _fast.in_threads(work, len(sound))
    return torch.from_numpy(result).permute(0, 3, 1, 2)


def invert_spectrogram(spectrogram: np.ndarray | Tensor) -> Tensor:
    """Turn a compressed spectrogram back into sound, to listen to what the encoder gets.

    Parameters
    ----------
    spectrogram : np.ndarray or Tensor, shape (B, 2, frames, 257) or (2, frames, 257)
        As `compressed_spectrogram` gives it, or changed by you.

    Returns
    -------
    Tensor, shape (B, samples), float32
        ``frames * 160 + 320`` samples, so 96_000 for 598 frames: the last 80 samples (5 ms) of a clip are in no frame
        and stay silent. Frames that do not fit together are averaged (least squares, Griffin and Lim, 1984).
    """
    parts = torch.as_tensor(spectrogram)
    parts = parts[None] if parts.ndim == 3 else parts
    if parts.ndim != 4 or parts.shape[1] != 2 or parts.shape[3] != N_FFT // 2 + 1 or parts.shape[2] < 1:
        raise AudioError(f"expected a spectrogram of shape (B, 2, frames, 257), got {tuple(parts.shape)}")
    parts = parts.float()
    parts = parts * parts.abs().pow(1 / POWER - 1)
    frames = torch.fft.irfft(torch.complex(parts[:, 0], parts[:, 1]), n=N_FFT)[..., :WIN_LENGTH]
    window = _window(parts)
    sound, weight = _overlap_add(frames * window), _overlap_add(window.square().expand(1, frames.shape[1], -1))
    sound = sound / weight.clamp(min=1e-3)
    missing = (HOP_LENGTH - (sound.shape[1] - WIN_LENGTH) - WIN_LENGTH) % HOP_LENGTH
    return torch.nn.functional.pad(sound, (0, missing))


def _as_batch(waveform: np.ndarray | Tensor, seconds: float | None) -> Tensor:
    """Check waveforms and give them as float32 of shape (B, samples)."""
    if isinstance(waveform, np.ndarray) and not waveform.flags.writeable:
        waveform = waveform.copy()  # torch complains of what it cannot write to, although nobody does
    sound = torch.as_tensor(waveform)
    if sound.ndim == 1:
        sound = sound[None]
    if sound.ndim != 2:
        raise AudioError(f"expected waveforms of shape (B, samples) or (samples,), got {tuple(sound.shape)}")
    if seconds is not None and sound.shape[1] != round(seconds * SAMPLE_RATE):
        raise AudioError(
            f"expected waveforms of {round(seconds * SAMPLE_RATE)} samples ({seconds:g} s at 16 kHz), got shape "
            f"{tuple(sound.shape)}; fit_to_clip() cuts or repeats a clip to that length"
        )
    if sound.shape[1] < WIN_LENGTH:
        raise AudioError(f"a waveform needs at least {WIN_LENGTH} samples (one frame), got {sound.shape[1]}")
    if sound.dtype == torch.int16:
        sound = sound.float() / 32768
    elif not sound.is_floating_point():
        raise AudioError(f"expected floating-point or int16 samples, got {sound.dtype}")
    sound = sound.float()
    if sound.device.type == "cpu" and not torch.compiler.is_compiling():
        samples = sound.detach().numpy()
        with np.errstate(invalid="ignore", over="ignore"):
            total = samples.sum()  # finite, it holds no NaN, and is the faster look
        if not np.isfinite(total) and not np.isfinite(samples).all():
            raise AudioError("the waveform holds NaN or infinite values; the recording is damaged")
    return sound


def _window(like: Tensor) -> Tensor:
    """Periodic Hann window of 400 samples on the device of another tensor."""
    return torch.hann_window(WIN_LENGTH, periodic=True, device=like.device, dtype=torch.float32)


def _overlap_add(frames: Tensor) -> Tensor:
    """Sum frames at their places: (B, frames, 400) -> (B, 160 * (frames - 1) + 400)."""
    length = (frames.shape[1] - 1) * HOP_LENGTH + WIN_LENGTH
    columns = frames.transpose(1, 2)  # (B, 400, frames)
    fold = torch.nn.functional.fold
    return fold(columns, (1, length), (1, WIN_LENGTH), stride=(1, HOP_LENGTH))[:, 0, 0]
