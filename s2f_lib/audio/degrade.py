"""Sound made worse on purpose: to test a voice encoder with (numpy, named), and to train it with (torch, random).

A `Corruption` takes waveforms (B, samples) at 16 kHz in [-1, 1] and gives waveforms of the same shape; its name says
all that it does, because results are kept by that name. The probes without speech must lead to the average face: a
person seen in noise would be an artefact. `random_channel` and `noise_alone` are drawn anew for every clip of a
training batch.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from s2f_lib.audio._fast import POWER
from s2f_lib.audio.clip import CLIP_SECONDS, SAMPLE_RATE

EPS = 1e-12  # below this a power is silence
RT60 = 0.6  # s, of the room to test with
LONGEST_LAG = 4000  # samples that a codec may delay
EQUALISER_WAVES, EQUALISER_DB = 6, 4.0  # cosines of a random equaliser, and the spread of each
NARROW, NOISY, CODED = 0.3, 0.6, 0.2  # shares of clips with a band limit, added noise, a codec's holes


@dataclass(frozen=True)
class Corruption:
    """A named corruption of waveforms; the name says all that it does."""

    name: str
    apply: Callable[[np.ndarray], np.ndarray]

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        waveform = np.asarray(waveform, np.float32)
        if waveform.ndim != 2:
            raise ValueError(f"waveforms should be (clips, samples), got {waveform.shape}; one clip is waveform[None]")
        out = np.asarray(self.apply(waveform), np.float32)
        if out.shape != waveform.shape:
            raise ValueError(f"the corruption {self.name!r} turned {waveform.shape} into {out.shape}")
        return np.clip(out, -1, 1)


def noise(snr_db: float) -> Corruption:
    """Add pink noise (equal power per octave) at a signal-to-noise ratio in dB."""
    return Corruption(
        f"pink noise, {snr_db:g} dB", lambda x: x + _rms(x) * 10 ** (-snr_db / 20) * _pink(_hiss(x.shape))
    )


def room() -> Corruption:
    """Reverberation: exponentially decaying noise as impulse response, 0.6 seconds to fall by 60 dB."""

    def apply(x: np.ndarray) -> np.ndarray:
        from scipy.signal import fftconvolve

        t = np.arange(round(RT60 * SAMPLE_RATE)) / SAMPLE_RATE
        tail = np.random.default_rng(0).standard_normal(len(t)) * 10 ** (-3 * t / RT60)
        tail *= 0.5 / np.sqrt((tail**2).sum())
        tail[0] += 1
        return _as_loud(fftconvolve(x, tail[None], axes=1)[:, : x.shape[1]], x)

    return Corruption(f"room, RT60 {RT60:g} s", apply)


def telephone() -> Corruption:
    """Band of 300 to 3400 Hz and eight bits on a logarithmic scale (mu-law), as an old telephone line."""

    def apply(x: np.ndarray) -> np.ndarray:
        from scipy.signal import butter, sosfilt

        narrow = sosfilt(butter(4, (300, 3400), "bandpass", fs=SAMPLE_RATE, output="sos"), x, axis=1)
        peak = np.abs(narrow).max(axis=1, keepdims=True) + 1e-9
        coded = np.sign(narrow) * np.log1p(255 * np.abs(narrow) / peak) / np.log(256)
        coded = np.round(coded * 127) / 127
        return np.sign(coded) * peak * (256 ** np.abs(coded) - 1) / 255

    return Corruption("telephone (300-3400 Hz, mu-law)", apply)


def codec(kilobits: int = 16) -> Corruption:
    """Through a real lossy codec and back: MP3, by PyAV."""
    return Corruption(f"mp3 at {kilobits} kbit/s", lambda x: np.stack([_through_codec(row, kilobits) for row in x]))


def _through_codec(row: np.ndarray, kilobits: int) -> np.ndarray:
    """Encode one waveform, decode it, undo the codec's delay by the best lag."""
    import io

    import av
    from scipy.signal import correlate

    memory = io.BytesIO()
    with av.open(memory, "w", format="mp3") as file:
        stream = file.add_stream("libmp3lame", rate=SAMPLE_RATE, layout="mono")
        stream.bit_rate = kilobits * 1000
        sound = np.round(np.clip(row, -1, 1) * 32_767).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(sound, format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=SAMPLE_RATE)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    memory.seek(0)
    with av.open(memory) as file:
        back = av.AudioResampler(format="fltp", layout="mono", rate=SAMPLE_RATE)
        parts = [p.to_ndarray()[0] for frame in file.decode(audio=0) for p in back.resample(frame)]
        parts += [p.to_ndarray()[0] for p in back.resample(None)]
    out, size = np.concatenate(parts), len(row)
    out = np.pad(out, (0, max(0, size + LONGEST_LAG - len(out))))[: size + LONGEST_LAG]
    lag = int(np.argmax(correlate(out, row, mode="valid", method="fft")))
    return out[lag : lag + size]


def pitch_shift(semitones: float) -> Corruption:
    """Play faster or slower, which moves pitch *and* formants: a small person, a large one; length is kept."""

    def apply(x: np.ndarray) -> np.ndarray:
        n = x.shape[1]
        where = (np.arange(n) * 2 ** (semitones / 12)) % (n - 1)
        return np.stack([np.interp(where, np.arange(n), row) for row in x])

    return Corruption(f"played {semitones:+g} semitones", apply)


def whisper() -> Corruption:
    """Keep the spectral envelope of each 25 ms and replace the voice by noise: no pitch, the formants stay."""

    def apply(x: np.ndarray) -> np.ndarray:
        from scipy.signal import istft, stft

        frames = {"fs": SAMPLE_RATE, "nperseg": 400, "noverlap": 300, "nfft": 512}
        _, _, spectrum = stft(x, **frames)
        _, _, hiss = stft(_unit_power(_hiss(x.shape)), **frames)
        cepstrum = np.fft.irfft(np.log(np.abs(spectrum) + 1e-6), axis=1)
        keep = 32  # quefrencies below 2 ms: shape of the tract, not the pulses
        cepstrum[:, keep:-keep] = 0
        y = istft(np.exp(np.fft.rfft(cepstrum, axis=1).real) * hiss, **frames)[1]
        return _as_loud(np.pad(y, ((0, 0), (0, max(0, x.shape[1] - y.shape[1]))))[:, : x.shape[1]], x)

    return Corruption("whispered (noise excitation)", apply)


def without_speech(kind: str = "noise") -> Corruption:
    """No speech at all: pink "noise", or "silence" (a hiss 80 dB down, as a microphone gives)."""
    level = {"noise": 0.05, "silence": 1e-5}[kind]
    return Corruption(f"{kind} only", lambda x: level * _pink(_hiss(x.shape)))


def _hiss(shape: tuple[int, int]) -> np.ndarray:
    """White noise, the same for every call."""
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def _pink(hiss: np.ndarray) -> np.ndarray:
    """White noise with equal power per octave, of unit power."""
    spectrum = np.fft.rfft(hiss, axis=1)
    spectrum /= np.sqrt(np.maximum(np.arange(spectrum.shape[1]), 1))
    return _unit_power(np.fft.irfft(spectrum, n=hiss.shape[1], axis=1))


def _unit_power(x: np.ndarray) -> np.ndarray:
    return x / _rms(x)


def _rms(x: np.ndarray) -> np.ndarray:
    """Root mean square of each clip, (B, 1)."""
    return np.sqrt((x**2).mean(axis=1, keepdims=True))


def _as_loud(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """A sound with the loudness that another had."""
    return y * np.sqrt((x**2).mean(axis=1, keepdims=True) / ((y**2).mean(axis=1, keepdims=True) + EPS))


def first_seconds(seconds: float) -> Callable[[np.ndarray], np.ndarray]:
    """The beginning of each clip, repeated to the clip's length, as the paper does with short clips."""
    if seconds <= 0:
        raise ValueError(f"a clip needs a positive length, got {seconds} s")

    def cut(waveform: np.ndarray) -> np.ndarray:
        kept = waveform[:, : max(1, round(seconds * SAMPLE_RATE))]
        times = -(-waveform.shape[1] // kept.shape[1])
        return np.tile(kept, (1, times))[:, : waveform.shape[1]]

    cut.name = f"first {seconds:g} s"
    return cut


def truncate(seconds: float, shortest: float = CLIP_SECONDS) -> Callable[[np.ndarray], np.ndarray]:
    """Only the first ``seconds``; what is shorter than ``shortest`` is repeated to it, as the paper does.

    Unlike `first_seconds` it makes a longer waveform shorter.
    """
    repeated = first_seconds(seconds)

    def cut(waveform: np.ndarray) -> np.ndarray:
        return repeated(waveform[:, : round(max(seconds, shortest) * SAMPLE_RATE)])

    cut.name = f"only the first {seconds:g} s" + ("" if shortest == CLIP_SECONDS else f", repeated to {shortest:g} s")
    return cut


def standard_set() -> tuple[Callable[[np.ndarray], np.ndarray], ...]:
    """The corruptions of page 5 and of the record, mild to hopeless."""
    return (
        *(first_seconds(s) for s in (1.0, 2.0, 3.0)),
        *(noise(snr) for snr in (20.0, 10.0, 0.0)),
        room(),
        telephone(),
        codec(),
        pitch_shift(2.0),
        pitch_shift(-2.0),
        whisper(),
        without_speech("noise"),
        without_speech("silence"),
    )


def random_channel(magnitude: Tensor, generator: torch.Generator) -> Tensor:
    """Any recording of the same speech: compressed magnitudes (B, T, F) of clips, each through a channel of its own.

    Every clip gets a smooth random equaliser; some, independently, a band limit as of a telephone, coloured noise,
    another clip of the batch as babble, a steady hum, and holes where a codec spends no bits.

    Notes
    -----
    Sounds are added as eighth powers of compressed magnitudes, abs(S) ** 2.4, where powers of independent sounds would
    be abs(S) ** 2: the difference is small beside the range of levels, and it needs no ``pow``.
    """
    clips, frames, bins = magnitude.shape
    hertz = torch.linspace(0, SAMPLE_RATE / 2, bins, device=generator.device)
    uniform = lambda low, high: _uniform(clips, (low, high), generator)  # noqa: E731
    chosen = lambda share: uniform(0, 1) < share  # noqa: E731
    edge = lambda at: torch.sigmoid((hertz - at) / 60) + 1e-3  # noqa: E731

    limits = uniform(80, 350) * chosen(NARROW), torch.where(chosen(NARROW), uniform(3_000, 7_500), 9_000.0)
    gain_db = _curves(clips, hertz, generator) + 20 * torch.log10(edge(limits[0]) * (1.001 - edge(limits[1])))
    speech = magnitude.float() * _compressed(gain_db)[:, None]
    power = speech.square().square().square()
    level = power.mean(dim=(1, 2))[:, None]

    hiss_db = _curves(clips, hertz, generator) - uniform(0, 12) * torch.log2(hertz.clamp_min(50) / 1000)
    hiss_db = hiss_db - 10 * torch.log10((10 ** (hiss_db / 10)).mean(dim=1, keepdim=True))
    hiss = _compressed(hiss_db - uniform(3, 38)) ** 8
    pitch = uniform(50, 400)
    nearest = pitch * (hertz / pitch).round().clamp_min(1)
    tones = torch.exp(-(((hertz - nearest) / 20) ** 2)) * (hertz < uniform(300, 4_000))
    hum = 20 * tones * _compressed(-uniform(3, 25)) ** 8
    other = chosen(NOISY / 3) * _compressed(-uniform(3, 20)) ** 8 * level / level.roll(1, 0).clamp_min(EPS)
    power = power + other[..., None] * power.roll(1, dims=0) + (chosen(NOISY / 5) * hum * level)[:, None]
    cells = _noise_cells(clips, frames, bins, generator)
    power = torch.addcmul(power, cells.square().square().square(), (chosen(NOISY) * hiss * level)[:, None])
    heard = power.sqrt_().sqrt_().sqrt_()
    holes = chosen(CODED) * uniform(0.15, 0.5)  # of the frame's loudest cell, compressed
    return heard * (heard >= holes[..., None] * heard.amax(dim=2, keepdim=True))


def noise_alone(clips: int, frames: int, bins: int, generator: torch.Generator) -> Tensor:
    """Compressed magnitudes (B, T, F) of noises of random colours, in which nobody speaks."""
    hertz = torch.linspace(0, SAMPLE_RATE / 2, bins, device=generator.device)
    slope_db = -_uniform(clips, (-3, 12), generator) * torch.log2(hertz.clamp_min(50) / 1000)
    return _noise_cells(clips, frames, bins, generator) * _compressed(slope_db)[:, None]


def _curves(clips: int, hertz: Tensor, generator: torch.Generator) -> Tensor:
    """Smooth random equalisers over the ear's scale, (B, F) dB."""
    place = torch.log1p(hertz / 700) / math.log1p(SAMPLE_RATE / 2 / 700)
    waves = torch.cos(math.pi * torch.arange(1, EQUALISER_WAVES + 1, device=place.device)[:, None] * place)
    return EQUALISER_DB * torch.randn((clips, EQUALISER_WAVES), generator=generator, device=generator.device) @ waves


def _compressed(db: Tensor) -> Tensor:
    """A gain in dB as a factor on compressed magnitudes."""
    return 10 ** (POWER * db / 20)


def _noise_cells(clips: int, frames: int, bins: int, generator: torch.Generator) -> Tensor:
    """Compressed magnitudes of white noise of unit power, (B, T, F): overlapping stretches of one long noise."""
    step = 16
    parts = torch.randn((2, frames + step * clips, bins), generator=generator, device=generator.device)
    cells = (parts.square().sum(dim=0) / 2).pow(POWER / 2)
    return cells.unfold(0, frames, step)[:clips].transpose(1, 2)


def _uniform(n: int, limits: tuple[float, float], generator: torch.Generator) -> Tensor:
    """One number per clip, (n, 1)."""
    low, high = limits
    return low + (high - low) * torch.rand((n, 1), generator=generator, device=generator.device)
