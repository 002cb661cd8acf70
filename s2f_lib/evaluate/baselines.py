"""What an encoder is held against: demographics alone, a ridge regression on the sound, and an oracle.

Demographics and oracle predict v_f from the table of people, never from sound. The *oracle* (a perfect listener) hears
the true parameters of the voice and the language without error: no encoder on the same clips can be expected to beat
it by much. *Demographics only* knows sex, age decade, group and language and nothing else: what an encoder gains over
it is individual. The *ridge baseline* gets pitch, long-term spectrum and the spread of the cepstrum over six seconds,
and nothing of their order; it is trained in seconds in any world, and what it finds is a lower bound of what a trained
encoder can find.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pandas as pd

from s2f_lib import audio, io
from s2f_lib.metrics import inference
from s2f_lib.metrics.labels import decade
from s2f_lib.people import Population
from s2f_lib.people.fingerprint import voice_key
from s2f_lib.training.people_set import show

BANDS, CEPSTRA = 40, 20
PITCH_RANGE = (70.0, 380.0)  # Hz
NO_CAUSE = ("voice_idiolect",)  # seed of personal habits, not a quantity
KEYS = ("sex", "decade", "group", "language")


def _keys(people: pd.DataFrame) -> pd.DataFrame:

    missing = [c for c in ("sex", "age", "group", "language") if c not in people.columns]
    if missing:
        raise ValueError(f"the table of people lacks {', '.join(missing)}; it should be population.table()")
    out = {"sex": people["sex"], "decade": decade(people["age"].to_numpy(float))}
    return pd.DataFrame(out | {"group": people["group"], "language": people["language"]}, index=people.index)


def _one_hot(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    return (np.asarray(values)[:, None] == known[None]).astype(float)


class DemographicsOnly:
    """Mean feature of the people of the same sex, age decade, group and language.

    Cells of few people are shrunk towards what sex, decade, group and language say each on its own (a
    ridge regression on their one-hot codes): weight ``n / (n + SHRINK)`` for a cell of n training people.

    Parameters
    ----------
    keys : tuple of str
        Which of sex, decade, group, language it is told.
    """

    SHRINK = 10.0  # training people in a cell at which the cell mean counts as much as the regression

    def __init__(self, keys: tuple[str, ...] = KEYS) -> None:
        unknown = sorted(set(keys) - set(KEYS))
        if unknown or not keys:
            raise ValueError(f"keys should be some of {', '.join(KEYS)}, got {keys}")
        self.keys = tuple(keys)

    def fit(self, people: pd.DataFrame, v_f: np.ndarray) -> DemographicsOnly:
        """Learn from training people: table with sex, age, group, language, and v_f (N, D)."""
        v_f = inference.as_features(v_f, "v_f")
        if len(people) != len(v_f):
            raise ValueError(f"{len(people)} people for {len(v_f)} features")
        cells = _keys(people)
        self.known_ = {k: np.unique(cells[k]) for k in self.keys}
        x = self._design(cells)
        self.mean_ = v_f.mean(axis=0)
        self.weight_ = np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ (v_f - self.mean_))
        residual = v_f - self.mean_ - x @ self.weight_
        names, rows, counts = np.unique(self._names(cells), return_inverse=True, return_counts=True)
        sums = np.zeros((len(names), v_f.shape[1]))
        np.add.at(sums, rows, residual)
        self.cells_ = {name: sums[i] / (counts[i] + self.SHRINK) for i, name in enumerate(names)}
        return self

    def predict(self, people: pd.DataFrame) -> np.ndarray:
        """Features of other people, shape (N, D), float32."""
        if not hasattr(self, "cells_"):
            raise ValueError("this baseline has not been fitted; call fit(people, v_f) first")
        cells = _keys(people)
        out = self.mean_ + self._design(cells) @ self.weight_
        for i, name in enumerate(self._names(cells)):
            if name in self.cells_:
                out[i] += self.cells_[name]
        return out.astype(np.float32)

    def _design(self, cells: pd.DataFrame) -> np.ndarray:
        return np.column_stack([_one_hot(cells[k].to_numpy(), self.known_[k]) for k in self.keys])

    def _names(self, cells: pd.DataFrame) -> np.ndarray:
        return cells[list(self.keys)].astype(str).agg("|".join, axis=1).to_numpy()


def voice_parameters(people: pd.DataFrame) -> pd.DataFrame:
    """Logarithms of the voices' true parameters in ``population.table()``: all that an oracle hears beside language."""
    columns = [c for c in people.columns if c.startswith("voice_") and c not in NO_CAUSE]
    if not columns:
        raise ValueError("the table has no voice_... columns; it should be population.table()")
    return np.log(np.maximum(people[columns].astype(float), 1e-4))


class Oracle:
    """Best prediction of v_f from the true parameters of the voice and the language: an estimate of the upper bound.

    Two models are tried onto the principal components of v_f: ridge regression on the logarithms of the parameters,
    their squares and their products with the pitch (which stands for sex), and the same with gradient
    boosting of what it leaves. The better angle on a held-out fifth of the training people decides; the winner is
    fitted on all.

    Parameters
    ----------
    components : int
        Principal components of v_f that are predicted; the others keep their mean.
    boosted_components : int
        Of those, how many boosting predicts (it is slower; the first ones carry what is predictable).
    """

    def __init__(self, components: int = 100, boosted_components: int = 12) -> None:
        self.components, self.boosted_components = components, boosted_components

    def fit(self, people: pd.DataFrame, v_f: np.ndarray) -> Oracle:
        """Learn from training people: ``population.table()`` and v_f (N, D)."""
        from sklearn.decomposition import PCA

        v_f = inference.as_features(v_f, "v_f")
        if len(people) != len(v_f):
            raise ValueError(f"{len(people)} people for {len(v_f)} features")
        if len(v_f) < 20:
            raise ValueError(f"{len(v_f)} training people are too few for an oracle; take at least 20, better 1,000")
        voice = voice_parameters(people)
        self.languages_ = np.unique(people["language"])
        k = min(self.components, len(v_f) - 1, v_f.shape[1])
        self.pca_ = PCA(k, svd_solver="randomized", random_state=0).fit(v_f)
        self.centre_, self.spread_ = voice.mean(axis=0), voice.std(axis=0) + 1e-9
        x, y = self._design(people), self.pca_.transform(v_f)
        held = np.random.default_rng(0).permutation(len(x))[: max(4, len(x) // 5)]
        kept = np.setdiff1d(np.arange(len(x)), held)
        scores = {}
        for name in ("ridge", "ridge and boosting"):
            guess = self.pca_.inverse_transform(self._predict(self._fit(name, x[kept], y[kept]), x[held]))
            cosine = inference.directions(guess, "guess") * inference.directions(v_f[held].astype(float), "v_f")
            scores[name] = float(cosine.sum(axis=1).mean())
        self.models_ = self._fit(max(scores, key=scores.get), x, y)
        return self

    def predict(self, people: pd.DataFrame) -> np.ndarray:
        """Features of other people, shape (N, D), float32."""
        if not hasattr(self, "models_"):
            raise ValueError("this oracle has not been fitted; call fit(people, v_f) first")
        y = self._predict(self.models_, self._design(people))
        return self.pca_.inverse_transform(y).astype(np.float32)

    def _design(self, people: pd.DataFrame) -> np.ndarray:
        z = ((voice_parameters(people) - self.centre_) / self.spread_).to_numpy()
        pitch = z[:, [voice_parameters(people).columns.get_loc("voice_f0")]]
        return np.column_stack([z, z**2, z * pitch, _one_hot(people["language"].to_numpy(), self.languages_)])

    def _fit(self, name: str, x: np.ndarray, y: np.ndarray) -> list:
        from sklearn.ensemble import HistGradientBoostingRegressor
        from sklearn.linear_model import RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 5, 11))).fit(x, y)
        if name == "ridge":
            return [ridge]
        settings = {"max_iter": 80, "learning_rate": 0.06, "max_leaf_nodes": 12, "min_samples_leaf": 15}
        left = (y - ridge.predict(x))[:, : self.boosted_components]
        boosted = [HistGradientBoostingRegressor(**settings, random_state=0).fit(x, column) for column in left.T]
        return [ridge, *boosted]

    def _predict(self, models: list, x: np.ndarray) -> np.ndarray:
        y = models[0].predict(x)
        for i, model in enumerate(models[1:]):
            y[:, i] += model.predict(x)
        return y


@cache
def _mel_filters() -> np.ndarray:
    """Triangles, evenly spaced on the mel scale from 60 to 7600 Hz; shape (257, 40)."""
    from torchaudio.functional import melscale_fbanks

    return melscale_fbanks(audio.N_FFT // 2 + 1, 60.0, 7600.0, BANDS, audio.SAMPLE_RATE).numpy()


def acoustic_features(waveform: np.ndarray) -> np.ndarray:
    """Statistics of clips (B, samples) at 16 kHz in [-1, 1]; shape (B, K), float32.

    Over the frames louder than the clip's median: mean log-mel spectrum (40), covariance of 20 cepstra (210),
    spread of their changes (20), mean fine spectrum below 500 Hz (15), median and spread of the logarithm of pitch (2).
    """
    waveform = inference.as_features(waveform, "waveform")
    if waveform.shape[1] < 10 * audio.WIN_LENGTH:
        raise ValueError(
            f"clips of {waveform.shape[1]} samples are too short; at least {10 * audio.WIN_LENGTH} are needed"
        )
    return np.stack([_of_one(row) for row in waveform]).astype(np.float32)


def _of_one(row: np.ndarray) -> np.ndarray:
    from scipy.fft import dct

    frames = np.lib.stride_tricks.sliding_window_view(row, audio.WIN_LENGTH)[:: audio.HOP_LENGTH] * np.hanning(
        audio.WIN_LENGTH
    )
    power = np.abs(np.fft.rfft(frames, audio.N_FFT, axis=1)) ** 2
    loud = power.sum(axis=1)
    loud = loud >= np.median(loud)
    mel = np.log(power @ _mel_filters() + 1e-8)
    cepstra = dct(mel, norm="ortho", axis=1)[:, :CEPSTRA]
    change = np.diff(cepstra, axis=0).std(axis=0)
    spread = np.cov(cepstra[loud].T)[np.triu_indices(CEPSTRA)]
    fine = np.log(power[loud, 2:17] + 1e-8).mean(axis=0)
    mean = mel[loud].mean(axis=0)
    return np.concatenate([mean - mean.mean(), spread, change, fine - fine.mean(), _pitch(power[loud])])


def _pitch(power: np.ndarray) -> np.ndarray:
    """Median and interquartile range of log2 pitch, from the peak of each frame's autocorrelation."""
    autocorrelation = np.fft.irfft(power, axis=1)
    window = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(audio.WIN_LENGTH), audio.N_FFT)) ** 2)
    window /= window[0]
    lags = np.arange(int(audio.SAMPLE_RATE / PITCH_RANGE[1]), int(audio.SAMPLE_RATE / PITCH_RANGE[0]))
    ratio = autocorrelation[:, lags] / (window[lags] * autocorrelation[:, :1] + 1e-12)
    cost = 0.03 * np.log2(lags / lags[0])  # of two equal peaks the shorter period is meant, not its double
    octaves = np.log2(audio.SAMPLE_RATE / lags[(ratio - cost).argmax(axis=1)])
    low, middle, high = np.percentile(octaves, [25, 50, 75])
    return np.array([middle, high - low])


def clip_features(
    population: Population,
    item: int = 0,
    *,
    sentences: str = "test",
    changes: Sequence[Callable | None] = (None,),
    workers: int = 2,
    progress: bool = False,
    **options,
) -> np.ndarray:
    """Acoustic features of one clip of everybody under each change, (people, changes, K); each change is kept alone.

    As `dataset.voice_features`, with `acoustic_features` in place of an encoder.
    """
    from s2f_lib.people import speech

    def measure(missing: list[int]) -> list[np.ndarray]:
        parts = []
        chunks = speech.stream(population, [item], workers, sentences=sentences, **options)
        for part in show(chunks, len(population), "voices", progress):
            waveform = part[:, 0].astype(np.float32) / 32_768
            parts.append([acoustic_features(changes[i](waveform) if changes[i] else waveform) for i in missing])
        return [np.concatenate(rows) for rows in zip(*parts, strict=True)]

    names = ["" if change is None else change.name for change in changes]
    made_from = [3, item, sentences, sorted(options.items()), *voice_key(population)]
    kept = io.cache.several("evaluate/acoustic", [[*made_from, name] for name in names], measure)
    return np.stack(kept, axis=1)


class RidgeBaseline:
    """Ridge regression from acoustic features to the principal components of v_f (or to any columns).

    Parameters
    ----------
    components : int
        Principal components of the target that are predicted; 0 predicts the target's columns as they are.
    """

    def __init__(self, components: int = 60) -> None:
        self.components = components

    def fit(self, heard: np.ndarray, target: np.ndarray) -> RidgeBaseline:
        """Learn from acoustic features (N, K) and targets (N, D); the penalty is chosen by leave-one-out."""
        from sklearn.decomposition import PCA
        from sklearn.linear_model import RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        heard, target = inference.as_features(heard, "heard"), inference.as_features(target, "target")
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
            raise ValueError("this baseline has not been fitted; call fit(heard, target) first")
        out = self.model_.predict(inference.as_features(heard, "heard"))
        return (out if self.pca_ is None else self.pca_.inverse_transform(out)).astype(np.float32)
