"""What can be reached: the perfect listener above, and demographics alone below.

Both predict v_f from the table of people, never from sound. The *perfect listener* hears the true parameters of the
voice and the language without error: no encoder on the same clips can be expected to beat it by much. The
*demographics-only* predictor is told sex, age decade, group and language and nothing else: what an encoder gains
over it is individual.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from s2f_lib.metrics import checks
from s2f_lib.metrics.labels import decade

if TYPE_CHECKING:
    import pandas as pd

NO_CAUSE = ("voice_idiolect",)  # seed of personal habits, not a quantity
KEYS = ("sex", "decade", "group", "language")


def voice_columns(people: pd.DataFrame) -> list[str]:
    """Names of the voice parameters in ``population.table()``."""
    names = [c for c in people.columns if c.startswith("voice_") and c not in NO_CAUSE]
    if not names:
        raise ValueError("the table has no voice_... columns; it should be population.table()")
    return names


def _keys(people: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

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
    ridge regression on their one-hot codes): weight ``n / (n + shrink)`` for a cell of n training people.

    Parameters
    ----------
    keys : tuple of str
        Which of sex, decade, group, language it is told.
    shrink : float
        Training people in a cell at which the cell mean counts as much as the regression.
    """

    def __init__(self, keys: tuple[str, ...] = KEYS, shrink: float = 10.0) -> None:
        unknown = sorted(set(keys) - set(KEYS))
        if unknown or not keys:
            raise ValueError(f"keys should be some of {', '.join(KEYS)}, got {keys}")
        self.keys, self.shrink = tuple(keys), float(shrink)

    def fit(self, people: pd.DataFrame, v_f: np.ndarray) -> DemographicsOnly:
        """Learn from training people: table with sex, age, group, language, and v_f (N, D)."""
        v_f = checks.features(v_f, "v_f")
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
        self.cells_ = {name: sums[i] / (counts[i] + self.shrink) for i, name in enumerate(names)}
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


class PerfectListener:
    """Best prediction of v_f from the true parameters of the voice and the language: the ceiling.

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
    seed : int
    """

    def __init__(self, components: int = 100, boosted_components: int = 12, seed: int = 0) -> None:
        self.components, self.boosted_components, self.seed = components, boosted_components, seed

    def fit(self, people: pd.DataFrame, v_f: np.ndarray) -> PerfectListener:
        """Learn from training people: ``population.table()`` and v_f (N, D)."""
        from sklearn.decomposition import PCA

        v_f = checks.features(v_f, "v_f")
        if len(people) != len(v_f):
            raise ValueError(f"{len(people)} people for {len(v_f)} features")
        if len(v_f) < 20:
            raise ValueError(f"{len(v_f)} training people are too few for a ceiling; take at least 20, better 1,000")
        self.columns_ = voice_columns(people)
        self.languages_ = np.unique(people["language"])
        k = min(self.components, len(v_f) - 1, v_f.shape[1])
        self.pca_ = PCA(k, svd_solver="randomized", random_state=self.seed).fit(v_f)
        voice = self._voice(people)
        self.centre_, self.spread_ = voice.mean(axis=0), voice.std(axis=0) + 1e-9
        x, y = self._design(people), self.pca_.transform(v_f)
        held = np.random.default_rng(self.seed).permutation(len(x))[: max(4, len(x) // 5)]
        kept = np.setdiff1d(np.arange(len(x)), held)
        self.scores_ = {}
        for name in ("ridge", "ridge and boosting"):
            guess = self._predict(self._fit(name, x[kept], y[kept]), x[held])
            self.scores_[name] = float(_mean_cosine(self.pca_.inverse_transform(guess), v_f[held]))
        self.chosen_ = max(self.scores_, key=self.scores_.get)
        self.models_ = self._fit(self.chosen_, x, y)
        return self

    def predict(self, people: pd.DataFrame) -> np.ndarray:
        """Features of other people, shape (N, D), float32."""
        if not hasattr(self, "models_"):
            raise ValueError("this ceiling has not been fitted; call fit(people, v_f) first")
        y = self._predict(self.models_, self._design(people))
        return self.pca_.inverse_transform(y).astype(np.float32)

    def _voice(self, people: pd.DataFrame) -> np.ndarray:
        return np.log(np.maximum(people[self.columns_].to_numpy(float), 1e-4))

    def _design(self, people: pd.DataFrame) -> np.ndarray:
        z = (self._voice(people) - self.centre_) / self.spread_
        pitch = self.columns_.index("voice_f0") if "voice_f0" in self.columns_ else 0
        return np.column_stack([z, z**2, z * z[:, [pitch]], _one_hot(people["language"].to_numpy(), self.languages_)])

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
        boosted = [
            HistGradientBoostingRegressor(**settings, random_state=self.seed).fit(x, column) for column in left.T
        ]
        return [ridge, *boosted]

    def _predict(self, models: list, x: np.ndarray) -> np.ndarray:
        y = models[0].predict(x)
        for i, model in enumerate(models[1:]):
            y[:, i] += model.predict(x)
        return y


def _mean_cosine(a: np.ndarray, b: np.ndarray) -> float:
    top = (a * b).sum(axis=1)
    return float((top / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))).mean())
