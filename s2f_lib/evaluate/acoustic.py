"""A light listener: statistics of a clip's sound and a ridge regression, trained in seconds in any world.

The shipped voice encoder was trained in one world only, and training one per world takes hours. To compare worlds we
use this small stand-in: it hears pitch, long-term spectrum and the spread of the cepstrum over six seconds, and
nothing of their order. What it finds is a lower bound of what a trained encoder can find.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from s2f_lib.evaluate import data
from s2f_lib.metrics import checks

if TYPE_CHECKING:
    from s2f_lib.people import Population

SAMPLE_RATE = data.SAMPLE_RATE
N_FFT, WIN_LENGTH, HOP_LENGTH = 512, 400, 160  # samples, as the paper's spectrogram
BANDS, CEPSTRA = 40, 20
PITCH_RANGE = (70.0, 380.0)  # Hz


@cache
def mel_filters() -> np.ndarray:
    """Triangles, evenly spaced on the mel scale from 60 to 7600 Hz; shape (40, 257)."""
    low, high = (2595 * np.log10(1 + f / 700) for f in (60.0, 7600.0))
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    bins = np.arange(N_FFT // 2 + 1) * SAMPLE_RATE / N_FFT
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(rise, fall))


def sound_statistics(waveform: np.ndarray) -> np.ndarray:
    """What the light listener hears of clips (B, samples) at 16 kHz in [-1, 1]; shape (B, K), float32.

    Over the frames louder than the clip's median: mean log-mel spectrum (40), covariance of 20 cepstra (210),
    spread of their changes (20), mean fine spectrum below 500 Hz (15), median and spread of the logarithm of pitch (2).
    """
    waveform = checks.features(waveform, "waveform")
    if waveform.shape[1] < 10 * WIN_LENGTH:
        raise ValueError(f"clips of {waveform.shape[1]} samples are too short; at least {10 * WIN_LENGTH} are needed")
    return np.stack([_of_one(row) for row in waveform]).astype(np.float32)


def _of_one(row: np.ndarray) -> np.ndarray:
    from scipy.fft import dct

    frames = np.lib.stride_tricks.sliding_window_view(row, WIN_LENGTH)[::HOP_LENGTH] * np.hanning(WIN_LENGTH)
    power = np.abs(np.fft.rfft(frames, N_FFT, axis=1)) ** 2
    loud = power.sum(axis=1)
    loud = loud >= np.median(loud)
    mel = np.log(power @ mel_filters().T + 1e-8)
    cepstra = dct(mel, norm="ortho", axis=1)[:, :CEPSTRA]
    change = np.diff(cepstra, axis=0).std(axis=0)
    spread = np.cov(cepstra[loud].T)[np.triu_indices(CEPSTRA)]
    fine = np.log(power[loud, 2:17] + 1e-8).mean(axis=0)
    mean = mel[loud].mean(axis=0)
    return np.concatenate([mean - mean.mean(), spread, change, fine - fine.mean(), _pitch(power[loud])])


def _pitch(power: np.ndarray) -> np.ndarray:
    """Median and interquartile range of log2 pitch, from the peak of each frame's autocorrelation."""
    autocorrelation = np.fft.irfft(power, axis=1)
    window = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(WIN_LENGTH), N_FFT)) ** 2)
    window /= window[0]
    lags = np.arange(int(SAMPLE_RATE / PITCH_RANGE[1]), int(SAMPLE_RATE / PITCH_RANGE[0]))
    ratio = autocorrelation[:, lags] / (window[lags] * autocorrelation[:, :1] + 1e-12)
    cost = 0.03 * np.log2(lags / lags[0])  # of two equal peaks the shorter period is meant, not its double
    octaves = np.log2(SAMPLE_RATE / lags[(ratio - cost).argmax(axis=1)])
    low, middle, high = np.percentile(octaves, [25, 50, 75])
    return np.array([middle, high - low])


def hear(
    population: Population,
    item: int = 0,
    *,
    sentences: str = "test",
    changes: Sequence[Callable | None] = (None,),
    workers: int = 2,
    progress: bool = False,
    **options,
) -> np.ndarray:
    """Sound statistics of one clip of everybody under each change, (people, changes, K); each change cached alone.

    As `data.voice_features`, with `sound_statistics` in place of an encoder.
    """
    from s2f_lib.people import speech

    made_from = ["statistics 2", item, sentences, sorted(options.items()), *data.whose_voice(population)]
    paths = [data.cache_path("heard", [*made_from, "" if c is None else c.name]) for c in changes]
    missing = [(change, path) for change, path in zip(changes, paths, strict=True) if not path.exists()]
    if missing:
        parts = []
        chunks = speech.stream(population, [item], workers, sentences=sentences, **options)
        for part in data.show(chunks, len(population), "voices", progress):
            waveform = part[:, 0].astype(np.float32) / 32_768
            parts.append([sound_statistics(waveform if c is None else c(waveform)) for c, _ in missing])
        for i, (_, path) in enumerate(missing):
            data.keep(path, np.concatenate([part[i] for part in parts]))
    return np.stack([np.load(path) for path in paths], axis=1)


class LightListener:
    """Ridge regression from sound statistics to the principal components of v_f (or to any columns).

    Parameters
    ----------
    components : int
        Principal components of the target that are predicted; 0 predicts the target's columns as they are.
    """

    def __init__(self, components: int = 60) -> None:
        self.components = components

    def fit(self, heard: np.ndarray, target: np.ndarray) -> LightListener:
        """Learn from statistics (N, K) and targets (N, D); the penalty is chosen by leave-one-out."""
        from sklearn.decomposition import PCA
        from sklearn.linear_model import RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        heard, target = checks.features(heard, "heard"), checks.features(target, "target")
        if len(heard) != len(target):
            raise ValueError(f"{len(heard)} clips for {len(target)} targets")
        self.pca_ = None
        if self.components:
            k = min(self.components, len(target) - 1, target.shape[1])
            self.pca_ = PCA(k, svd_solver="randomized", random_state=0).fit(target)
            target = self.pca_.transform(target)
        self.model_ = make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 6, 13))).fit(heard, target)
        return self

    def predict(self, heard: np.ndarray) -> np.ndarray:
        """Targets of other clips, (N, D), float32."""
        if not hasattr(self, "model_"):
            raise ValueError("this listener has not been fitted; call fit(heard, target) first")
        out = self.model_.predict(checks.features(heard, "heard"))
        return (out if self.pca_ is None else self.pca_.inverse_transform(out)).astype(np.float32)
