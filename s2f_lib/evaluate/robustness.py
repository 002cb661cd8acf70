"""Clips made worse on purpose: shorter, noisier, in a room, over the telephone, coded, whispered, without speech.

A change takes waveforms (B, samples) at 16 kHz in [-1, 1] and gives waveforms of the same shape. The probes without
speech must lead to the average face: a person seen in noise would be an artefact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from s2f_lib.evaluate.material import SAMPLE_RATE, first_seconds

SHORTEST = 6.0  # seconds; what is shorter is repeated to it


@dataclass(frozen=True)
class Change:
    """A named change of waveforms; the name says all that it does."""

    name: str
    apply: Callable[[np.ndarray], np.ndarray]

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        waveform = np.asarray(waveform, np.float32)
        if waveform.ndim != 2:
            raise ValueError(f"waveforms should be (clips, samples), got {waveform.shape}; one clip is waveform[None]")
        out = np.asarray(self.apply(waveform), np.float32)
        if out.shape != waveform.shape:
            raise ValueError(f"the change {self.name!r} turned {waveform.shape} into {out.shape}")
        return np.clip(out, -1, 1)


def _other(seed: int) -> str:
    """What a name says of the seed; nothing of the usual one."""
    return f", seed {seed}" if seed else ""


def noise(snr_db: float, colour: str = "pink", seed: int = 0) -> Change:
    """Add noise at a signal-to-noise ratio in dB; ``colour`` is "white" or "pink" (equal power per octave)."""
    if colour not in ("white", "pink"):
        raise ValueError(f"colour should be white or pink, got {colour!r}")

    def apply(x: np.ndarray) -> np.ndarray:
        hiss = _noise(x.shape, colour, seed)
        level = np.sqrt((x**2).mean(axis=1, keepdims=True)) * 10 ** (-snr_db / 20)
        return x + level * hiss

    return Change(f"{colour} noise, {snr_db:g} dB{_other(seed)}", apply)


def _noise(shape: tuple[int, int], colour: str, seed: int) -> np.ndarray:
    hiss = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    if colour == "pink":
        spectrum = np.fft.rfft(hiss, axis=1)
        spectrum /= np.sqrt(np.maximum(np.arange(spectrum.shape[1]), 1))
        hiss = np.fft.irfft(spectrum, n=shape[1], axis=1)
    return hiss / np.sqrt((hiss**2).mean(axis=1, keepdims=True))


def room(rt60: float = 0.6, seed: int = 0) -> Change:
    """Reverberation: exponentially decaying noise as impulse response, ``rt60`` seconds to fall by 60 dB."""

    def apply(x: np.ndarray) -> np.ndarray:
        from scipy.signal import fftconvolve

        t = np.arange(round(rt60 * SAMPLE_RATE)) / SAMPLE_RATE
        tail = np.random.default_rng(seed).standard_normal(len(t)) * 10 ** (-3 * t / rt60)
        tail *= 0.5 / np.sqrt((tail**2).sum())
        tail[0] += 1
        y = fftconvolve(x, tail[None], axes=1)[:, : x.shape[1]]
        return y * np.sqrt((x**2).mean(axis=1, keepdims=True) / ((y**2).mean(axis=1, keepdims=True) + 1e-12))

    return Change(f"room, RT60 {rt60:g} s{_other(seed)}", apply)


def telephone() -> Change:
    """Band of 300 to 3400 Hz and eight bits on a logarithmic scale (mu-law), as an old telephone line."""

    def apply(x: np.ndarray) -> np.ndarray:
        from scipy.signal import butter, sosfilt

        narrow = sosfilt(butter(4, (300, 3400), "bandpass", fs=SAMPLE_RATE, output="sos"), x, axis=1)
        peak = np.abs(narrow).max(axis=1, keepdims=True) + 1e-9
        coded = np.sign(narrow) * np.log1p(255 * np.abs(narrow) / peak) / np.log(256)
        coded = np.round(coded * 127) / 127
        return np.sign(coded) * peak * (256 ** np.abs(coded) - 1) / 255

    return Change("telephone (300-3400 Hz, mu-law)", apply)


def codec(container: str = "mp3", kilobits: int = 16) -> Change:
    """Through a real lossy codec and back, by PyAV: ``container`` "mp3" or "ogg" (Opus)."""
    encoder = {"mp3": "libmp3lame", "ogg": "libopus"}.get(container)
    if encoder is None:
        raise ValueError(f"container should be mp3 or ogg, got {container!r}")

    def apply(x: np.ndarray) -> np.ndarray:
        return np.stack([_through_codec(row, container, encoder, kilobits) for row in x])

    return Change(f"{container} at {kilobits} kbit/s", apply)


def _through_codec(row: np.ndarray, container: str, encoder: str, kilobits: int) -> np.ndarray:
    """Encode one waveform, decode it, undo the codec's delay by the best lag."""
    import io

    import av

    memory = io.BytesIO()
    with av.open(memory, "w", format=container) as file:
        stream = file.add_stream(encoder, rate=SAMPLE_RATE, layout="mono")
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
    out = np.concatenate(parts)
    return _align(out, row)


def _align(out: np.ndarray, row: np.ndarray, most: int = 4000) -> np.ndarray:
    from scipy.signal import correlate

    size = len(row)
    out = np.pad(out, (0, max(0, size + most - len(out))))
    lag = int(np.argmax(correlate(out[: size + most], row, mode="valid", method="fft"))) if len(out) > size else 0
    return out[lag : lag + size]


def pitch_shift(semitones: float) -> Change:
    """Play faster or slower, which moves pitch *and* formants: a small person, a large one; length is kept."""

    def apply(x: np.ndarray) -> np.ndarray:
        factor = 2 ** (semitones / 12)
        n = x.shape[1]
        where = (np.arange(n) * factor) % (n - 1)
        return np.stack([np.interp(where, np.arange(n), row) for row in x])

    return Change(f"played {semitones:+g} semitones", apply)


def whisper(seed: int = 0) -> Change:
    """Keep the spectral envelope of each 25 ms and replace the voice by noise: no pitch, the formants stay."""

    def apply(x: np.ndarray) -> np.ndarray:
        from scipy.signal import istft, stft

        _, _, spectrum = stft(x, SAMPLE_RATE, nperseg=400, noverlap=300, nfft=512)
        _, _, hiss = stft(_noise(x.shape, "white", seed), SAMPLE_RATE, nperseg=400, noverlap=300, nfft=512)
        cepstrum = np.fft.irfft(np.log(np.abs(spectrum) + 1e-6), axis=1)
        keep = 32  # quefrencies below 2 ms: shape of the tract, not the pulses
        cepstrum[:, keep:-keep] = 0
        envelope = np.exp(np.fft.rfft(cepstrum, axis=1).real)
        y = istft(envelope * hiss, SAMPLE_RATE, nperseg=400, noverlap=300, nfft=512)[1]
        y = np.pad(y, ((0, 0), (0, max(0, x.shape[1] - y.shape[1]))))[:, : x.shape[1]]
        return y * np.sqrt((x**2).mean(axis=1, keepdims=True) / ((y**2).mean(axis=1, keepdims=True) + 1e-12))

    return Change(f"whispered (noise excitation){_other(seed)}", apply)


def without_speech(kind: str = "noise", seed: int = 0) -> Change:
    """No speech at all: pink "noise", or "silence" (a hiss 80 dB down, as a microphone gives)."""
    if kind not in ("noise", "silence"):
        raise ValueError(f"kind should be noise or silence, got {kind!r}")
    level = 0.05 if kind == "noise" else 1e-5

    def apply(x: np.ndarray) -> np.ndarray:
        return level * _noise(x.shape, "pink", seed)

    return Change(f"{kind} only{_other(seed)}", apply)


def shortened(seconds: float) -> Change:
    """The first ``seconds``, repeated to the full length."""
    return Change(f"first {seconds:g} s", first_seconds(seconds))


def beginning(seconds: float, shortest: float = SHORTEST) -> Callable[[np.ndarray], np.ndarray]:
    """Only the first ``seconds``; what is shorter than ``shortest`` is repeated to it, as the paper does.

    Unlike a `Change` it makes a longer waveform shorter.
    """
    if seconds <= 0:
        raise ValueError(f"a clip needs a positive length, got {seconds} s")

    def cut(waveform: np.ndarray) -> np.ndarray:
        kept = waveform[:, : round(max(seconds, shortest) * SAMPLE_RATE)]
        return first_seconds(seconds)(kept)

    cut.name = f"only the first {seconds:g} s" + ("" if shortest == SHORTEST else f", repeated to {shortest:g} s")
    return cut


def standard_set() -> tuple[Change, ...]:
    """The changes of page 5 and of the record, mild to hopeless."""
    return (
        *(shortened(s) for s in (1.0, 2.0, 3.0)),
        *(noise(snr) for snr in (20.0, 10.0, 0.0)),
        room(),
        telephone(),
        codec("mp3", 16),
        pitch_shift(2.0),
        pitch_shift(-2.0),
        whisper(),
        without_speech("noise"),
        without_speech("silence"),
    )
