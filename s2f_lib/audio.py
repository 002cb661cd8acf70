"""Sound in: any recording to a six-second clip, and the clip to the paper's compressed complex spectrogram.

Source: Oh et al. (2019), section 3, "Implementation details": 16 kHz, one channel, the first six seconds (shorter clips
repeated), Hann window of 25 ms, hop of 10 ms, 512 FFT bands, each of the real and imaginary part compressed by
``sgn(x) |x| ** 0.3``, which gives 598 x 257 x 2.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

__all__ = [
    "CLIP_SECONDS",
    "HOP_LENGTH",
    "N_FFT",
    "POWER",
    "SAMPLE_RATE",
    "WIN_LENGTH",
    "AudioError",
    "compressed_magnitude",
    "compressed_spectrogram",
    "fit_to_clip",
    "frames_of",
    "invert_spectrogram",
    "load",
    "resample",
    "to_mono",
    "write",
]

SAMPLE_RATE = 16_000  # Hz
CLIP_SECONDS = 6.0  # s
N_FFT = 512  # samples, zero-padded frame; 257 bins of 31.25 Hz
WIN_LENGTH = 400  # samples, 25 ms
HOP_LENGTH = 160  # samples, 10 ms
POWER = 0.3  # of the compression

SMALLEST = 1e-10  # below this the compression is linear, so that its slope at 0 is finite
LOUDEST = 4.0  # float samples above this are not sound in [-1, 1] but, most often, integers saved as floats
LONGEST = 3600.0  # s, read into memory at once


class AudioError(ValueError):
    """A recording cannot be used; the message says what came in and what was wanted."""


def load(path: str | Path, start: float = 0.0, end: float | None = None) -> np.ndarray:
    """Read a recording as mono sound at 16 kHz.

    Parameters
    ----------
    path : str or Path
        WAV, FLAC, OGG or MP3 (any rate, any number of channels), or a video or m4a file with a sound stream.
    start, end : float
        Part to read, in seconds; by default all of it (at most an hour).

    Returns
    -------
    np.ndarray, shape (samples,), float32, in [-1, 1]
        Channels are averaged. Overshoots of lossy formats are cut at 1.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    AudioError
        If it is empty, holds no sound, NaN or infinite values, or integers saved as floats.
    """
    import soundfile

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no recording at {path}")
    if path.stat().st_size == 0:
        raise AudioError(f"{path} is empty (0 bytes)")
    if start < 0 or (end is not None and end <= start):
        raise AudioError(f"the part to read must have 0 <= start < end, got {start} s to {end} s")
    try:
        with soundfile.SoundFile(path) as file:
            rate, first = file.samplerate, round(start * file.samplerate)
            seconds = (file.frames / rate if end is None else end) - start
            if seconds > LONGEST:
                raise AudioError(f"{path} is {seconds:.0f} s long; give start and end, at most {LONGEST:.0f} s apart")
            if first >= max(file.frames, 1):
                raise AudioError(f"{path} is {file.frames / rate:.2f} s long, nothing at {start} s")
            file.seek(first)
            samples = file.read(-1 if end is None else round(seconds * rate), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        if error.code != 1 and "nimplemented" not in str(error) and "nrecognised" not in str(error):
            raise AudioError(f"{path} cannot be read as sound: {error}") from error
        from s2f_lib import media

        return media.read_audio(path, start, end)
    if samples.size == 0:
        raise AudioError(f"{path} holds no sound (0 samples)")
    return _checked(resample(to_mono(samples.T), rate), str(path))


def to_mono(samples: np.ndarray) -> np.ndarray:
    """Average channels and scale integers: (samples,) or (channels, samples), any dtype -> (samples,) float32."""
    samples = np.asarray(samples)
    if samples.ndim not in (1, 2) or samples.size == 0:
        raise AudioError(f"expected (samples,) or (channels, samples) with at least one sample, got {samples.shape}")
    if samples.ndim == 2 and samples.shape[0] > samples.shape[1] and samples.shape[1] <= 8:
        raise AudioError(f"expected (channels, samples), got {samples.shape}; transpose it")
    if samples.dtype == np.uint8:
        samples = (samples.astype(np.float32) - 128) / 128
    elif np.issubdtype(samples.dtype, np.signedinteger):
        samples = samples / -float(np.iinfo(samples.dtype).min)
    elif not np.issubdtype(samples.dtype, np.floating):
        raise AudioError(f"expected floating-point or integer samples, got {samples.dtype}")
    mono = samples if samples.ndim == 1 else samples.mean(axis=0)
    return np.ascontiguousarray(mono, dtype=np.float32)


def resample(waveform: np.ndarray, sample_rate: float) -> np.ndarray:
    """Bring mono sound to 16 kHz with a windowed-sinc filter (torchaudio); (samples,) -> (samples,) float32."""
    if sample_rate <= 0:
        raise AudioError(f"the sample rate must be positive, got {sample_rate} Hz")
    if round(sample_rate) == SAMPLE_RATE:
        return np.asarray(waveform, dtype=np.float32)
    from torchaudio.functional import resample as sinc

    sound = torch.as_tensor(np.ascontiguousarray(waveform, dtype=np.float32))
    return sinc(sound, round(sample_rate), SAMPLE_RATE, lowpass_filter_width=32).numpy()


def fit_to_clip(waveform: np.ndarray | Tensor, seconds: float = CLIP_SECONDS) -> np.ndarray | Tensor:
    """Cut a waveform to its first six seconds, or repeat it until it is that long.

    Parameters
    ----------
    waveform : np.ndarray or Tensor, shape (samples,)
        Mono sound at 16 kHz, at least one sample, finite.
    seconds : float
        Length of the clip.

    Returns
    -------
    np.ndarray or Tensor, shape (round(seconds * 16_000),)
        Of the type that came in. Silence stays silence.

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


def frames_of(samples: int) -> int:
    """Frames of a waveform: no padding at the ends, so 598 for six seconds and 298 for three.

    >>> frames_of(96_000), frames_of(48_000)
    (598, 298)
    """
    return (samples - WIN_LENGTH) // HOP_LENGTH + 1


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
    return x * _gain(x)


def _clip_by_clip(sound: Tensor, parts: int) -> Tensor:
    """The same with one buffer for all clips, so that what is worked on stays in the processor's cache."""
    frames, window, compress = sound.unfold(-1, WIN_LENGTH, HOP_LENGTH), _window(sound), _kernel()
    result = np.empty((len(sound), frames.shape[1], N_FFT // 2 + 1, parts), np.float32)  # large pages, unlike torch's
    padded = torch.zeros(frames.shape[1], N_FFT)
    for clip, place in zip(frames, result, strict=True):
        torch.mul(clip, window, out=padded[:, :WIN_LENGTH])
        spectrum = torch.fft.rfft(padded).numpy()
        x = spectrum.view(np.float32) if parts == 2 else np.abs(spectrum)
        compress(x.reshape(-1), place.reshape(-1))
    return torch.from_numpy(result).permute(0, 3, 1, 2)


def _gain(x: Tensor) -> Tensor:
    """What to multiply by for ``sgn(x) |x| ** 0.3``: ``|x| ** -0.7``, by the logarithm, far faster than pow."""
    return x.abs().clamp(min=SMALLEST).log2().mul(POWER - 1).exp2()


def _with_torch(x: np.ndarray, out: np.ndarray) -> None:
    np.multiply(x, _gain(torch.from_numpy(x)).numpy(), out=out)


@functools.cache
def _kernel() -> Callable[[np.ndarray, np.ndarray], None]:
    """``out = sgn(x) |x| ** 0.3``, compiled (about 1 s, kept on disk); by torch where numba cannot be used.

    For ``g = |x|`` take ``z``, about ``g ** -0.3``, from the bits of the float: they are nearly a logarithm, so -0.3
    times the bits of g are nearly those of the power. ``1 + w = g ** 3 * z ** 10`` would be 1 if z were exact; w lies
    between -0.29 and 0.42. Then ``g ** -0.7 = g ** 2 * z ** 9 * (1 + w) ** -0.9``, the last factor by a polynomial. The
    result is right within 5e-7 of itself; the way by the logarithm, which float32 rounds, within 2e-6.
    """
    factor = np.polynomial.Chebyshev.interpolate(lambda w: (1 + w) ** -0.9, 9, domain=(-0.29, 0.42))
    c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 = factor.convert(kind=np.polynomial.Polynomial).coef.astype(np.float32)
    bits, slope = np.float32((1.3 * 127 - 0.0621) * 2**23), np.float32(POWER)  # 0.0621 centres w
    one, smallest = np.float32(1), np.float32(SMALLEST)

    def compress(x, out):
        for i in range(len(x)):
            g = np.float32(max(abs(x[i]), smallest))
            z = np.int32(bits - slope * np.float32(g.view(np.int32))).view(np.float32)
            z3 = z * z * z
            g2z6 = (g * z3) * (g * z3)
            w = g2z6 * (g * z3) * z - one
            p = (((c9 * w + c8) * w + c7) * w + c6) * w + c5
            p = ((((p * w + c4) * w + c3) * w + c2) * w + c1) * w + c0
            out[i] = x[i] * (g2z6 * z3 * p)

    try:
        from numba import njit

        return njit(cache=True, fastmath=True, error_model="numpy", nogil=True)(compress)
    except (ImportError, RuntimeError):  # not there, or not for this numpy; or no folder to keep it in
        return _with_torch


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


def write(path: str | Path, waveform: np.ndarray | Tensor) -> Path:
    """Write mono sound at 16 kHz as a 16-bit WAV or FLAC file, whole or not at all."""
    import soundfile

    from s2f_lib import io

    samples = _checked(np.asarray(torch.as_tensor(waveform).detach().cpu(), dtype=np.float32), "the waveform")
    with io.atomic_path(path) as temporary:
        soundfile.write(temporary, samples, SAMPLE_RATE, subtype="PCM_16")
    return Path(path)


def _as_batch(waveform: np.ndarray | Tensor, seconds: float | None) -> Tensor:
    """Check waveforms and give them as float32 of shape (B, samples)."""
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
        samples = sound.detach()  # a finite sum holds no NaN, and is the faster look
        if not samples.sum().isfinite() and not samples.isfinite().all():
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


def _checked(waveform: np.ndarray, name: str) -> np.ndarray:
    """Refuse what is not sound; cut overshoots at 1."""
    if waveform.size == 0:
        raise AudioError(f"{name} holds no sound (0 samples)")
    peak = float(np.abs(waveform).max())
    if not np.isfinite(peak):
        raise AudioError(f"{name} holds NaN or infinite values; the recording is damaged")
    if peak > LOUDEST:
        raise AudioError(
            f"{name} reaches {peak:.0f}, wanted are samples in [-1, 1]; if they are integers saved as floats, "
            "divide by 32768"
        )
    return np.clip(waveform, -1.0, 1.0).astype(np.float32, copy=False)
