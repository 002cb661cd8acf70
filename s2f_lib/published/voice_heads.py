"""Small heads between two frozen networks: a voice feature goes in, a face feature or a score for a face comes out.

A few hundred pairs carry no deep network, but a linear map with the right amount of shrinkage. Every head is fitted
with `fit`, predicts a face feature with `predict`, and scores voices against faces with `score`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from s2f_lib.metrics.similarity import unit


class Head:
    """Ridge regression on scaled voice features; the shared core of the heads.

    ValueError if ``alpha`` is not positive or ``scaling`` neither "each" nor "one".
    """

    def __init__(self, alpha: float, scaling: str):
        if not alpha > 0:
            raise ValueError(f"alpha should be above 0, got {alpha}; it is what keeps a small corpus from overfitting")
        if scaling not in ("each", "one"):
            raise ValueError(f"scaling should be 'each' or 'one', got {scaling!r}")
        self.alpha, self.scaling = alpha, scaling

    def fit(self, voice: np.ndarray, face: np.ndarray) -> Head:
        """Learn from pairs (N, V), (N, F); keep the leave-one-out predictions of the centred faces, (N, F).

        ValueError for fewer than 10 pairs.
        """
        voice, face = np.asarray(voice, float), np.asarray(face, float)
        if len(voice) != len(face) or len(voice) < 10:
            raise ValueError(f"need as many voices as faces and at least 10 pairs, got {len(voice)} and {len(face)}")
        self.voice_mean, self.voice_scale = voice.mean(axis=0), voice.std(axis=0) + 1e-9
        if self.scaling == "one":
            self.voice_scale = np.full_like(self.voice_scale, np.sqrt((self.voice_scale**2).mean()))
        self.face_mean = face.mean(axis=0)
        x, y = self._standardised(voice), face - self.face_mean
        smoother = np.linalg.solve(x.T @ x + self.alpha * np.eye(x.shape[1]), x.T)
        self.weight = smoother @ y
        leverage = (x * smoother.T).sum(axis=1, keepdims=True)
        self.left_out = (x @ self.weight - leverage * y) / (1 - leverage)
        return self

    def _standardised(self, voice: np.ndarray) -> np.ndarray:
        return (np.asarray(voice, float) - self.voice_mean) / self.voice_scale

    def _offset(self, voice: np.ndarray) -> np.ndarray:
        """Predicted face as a difference from the mean face."""
        return self._standardised(voice) @ self.weight

    def predict(self, voice: np.ndarray) -> np.ndarray:
        """The expected face feature, shape (Q, F)."""
        return self.face_mean + self._offset(voice)

    def score(self, voice: np.ndarray, faces: np.ndarray) -> np.ndarray:
        """Scores (Q, N) of voices against faces, higher for a likelier pair."""
        return self._score_offset(self._offset(voice), np.asarray(faces, float))


class RidgeHead(Head):
    """Ridge regression to the face feature; faces are scored by cosine, the mean face taken out of both sides.

    Without taking the mean out, all cosines are near one and the direction that all faces share decides the ranking.
    """

    def __init__(self, alpha: float = 1000.0, scaling: str = "each"):
        super().__init__(alpha, scaling)

    def _score_offset(self, offset: np.ndarray, faces: np.ndarray) -> np.ndarray:
        """Cosine of predicted and given face, (Q, N)."""
        return unit(offset) @ unit(faces - self.face_mean).T


class LikelihoodHead(Head):
    """Ridge regression, then the likelihood ratio of a face under this voice and under no voice.

    Both are Gaussians: around the predicted face with the covariance of what the voice leaves open, and around the
    mean face with the covariance of all faces. A face far from the mean in a direction that voices do not predict
    then counts neither for nor against a voice. The residuals come from leave-one-out predictions, so that a tight
    fit to the training pairs does not look like knowledge.

    Parameters
    ----------
    alpha : float
        Ridge penalty on scaled voice features.
    shrink : float, in [0, 1]
        How far both covariances are drawn towards the same multiple of the identity; 1 is a plain scalar product.
    scaling : {"one", "each"}
        Divide all voice features by one number, or each by its own spread. A speaker recogniser's features have the
        sizes that its training gave them; bringing them all to the same size makes the weak ones, mostly noise, loud.

    Notes
    -----
    The idea of scoring by likelihood ratio is that of PLDA in speaker verification (Ioffe, 2006), here across senses.
    """

    STATE = (
        *("alpha", "shrink", "scaling", "voice_mean", "voice_scale", "face_mean", "weight"),
        *("gain", "precision_voice", "precision_any"),
    )

    def __init__(self, alpha: float = 3000.0, shrink: float = 0.6, scaling: str = "one"):
        super().__init__(alpha, scaling)
        if not 0 <= shrink <= 1:
            raise ValueError(f"shrink should lie in [0, 1], got {shrink}")
        self.shrink = shrink

    def fit(self, voice: np.ndarray, face: np.ndarray) -> LikelihoodHead:
        """Learn from pairs (N, V), (N, F)."""
        super().fit(voice, face)
        y = np.asarray(face, float) - self.face_mean
        self.gain = float((self.left_out * y).sum() / (self.left_out**2).sum())
        residual = y - self.gain * self.left_out
        level = (y**2).mean()
        self.precision_voice = self._precision(residual, level)
        self.precision_any = self._precision(y, level)
        return self

    def _precision(self, rows: np.ndarray, level: float) -> np.ndarray:
        covariance = (1 - self.shrink) * rows.T @ rows / len(rows)
        return np.linalg.inv(covariance + self.shrink * level * np.eye(rows.shape[1]))

    def state(self) -> dict[str, np.ndarray]:
        """Everything fitted, as arrays that `from_state` reads."""
        return {name: np.asarray(getattr(self, name)) for name in self.STATE}

    @classmethod
    def from_state(cls, arrays: Mapping[str, np.ndarray]) -> LikelihoodHead:
        """The head that `state` described."""
        head = cls(float(arrays["alpha"]), float(arrays["shrink"]), str(arrays["scaling"]))
        for name in cls.STATE[3:]:
            setattr(head, name, arrays[name][()])
        return head

    def predict(self, voice: np.ndarray) -> np.ndarray:
        """The expected face feature, shape (Q, F)."""
        return self.face_mean + self.gain * self._offset(voice)

    def _score_offset(self, offset: np.ndarray, faces: np.ndarray) -> np.ndarray:
        """Log likelihood ratio up to a constant of the voice, (Q, N); comparable between faces."""
        x, y = self.gain * offset, faces - self.face_mean
        own = (y @ (self.precision_any - self.precision_voice) * y).sum(axis=1) / 2
        return x @ self.precision_voice @ y.T + own


class KernelHead(LikelihoodHead):
    """A likelihood head on curved features of the voice: an RBF kernel to some of the training voices (Nystroem).

    ``width`` is that of the kernel, in units of the median distance between training voices.
    """

    LANDMARKS = 300  # training voices that every voice is compared with, at most

    def __init__(self, alpha: float = 300.0, shrink: float = 0.6, width: float = 1.0):
        super().__init__(alpha, shrink, "one")
        if not width > 0:
            raise ValueError(f"width should be above 0, got {width}")
        self.width = width

    def fit(self, voice: np.ndarray, face: np.ndarray) -> KernelHead:
        """Learn from pairs (N, V), (N, F)."""
        from scipy.spatial.distance import pdist
        from sklearn.kernel_approximation import Nystroem

        voice = np.asarray(voice, float)
        distance = self.width * np.median(pdist(voice[:500]))
        count = min(self.LANDMARKS, len(voice))
        self.curved = Nystroem(gamma=0.5 / distance**2, n_components=count, random_state=0).fit(voice)
        return super().fit(self.curved.transform(voice), face)

    def predict(self, voice: np.ndarray) -> np.ndarray:
        """The expected face feature, shape (Q, F)."""
        return super().predict(self.curved.transform(np.asarray(voice, float)))

    def score(self, voice: np.ndarray, faces: np.ndarray) -> np.ndarray:
        """Log likelihood ratio, as `LikelihoodHead` gives it, (Q, N)."""
        return super().score(self.curved.transform(np.asarray(voice, float)), faces)


class ContrastiveHead(Head):
    """Two linear maps into one space, in which the voice of a clip is to find its own face among all others.

    It starts from ridge regression (the voice's map is the regression, the face's map changes nothing) and goes from
    there by gradient descent on the symmetric InfoNCE loss over all pairs at once, as CLIP does over batches.

    ``alpha`` is the ridge penalty of the start; steps of Adam are few, because a few hundred pairs are soon known by
    heart.
    """

    def __init__(self, alpha: float = 3000.0, steps: int = 40):
        super().__init__(alpha, "one")
        self.steps = steps

    def fit(self, voice: np.ndarray, face: np.ndarray) -> ContrastiveHead:
        """Learn from pairs (N, V), (N, F)."""
        import torch

        from s2f_lib.losses import info_nce

        super().fit(voice, face)
        x = torch.from_numpy(self._standardised(voice)).float()
        y = torch.from_numpy(np.asarray(face, float) - self.face_mean).float()
        maps = [torch.from_numpy(self.weight).float().requires_grad_(), torch.eye(y.shape[1]).requires_grad_()]
        groups = [{"params": [part], "lr": 0.02 * float(part.detach().std())} for part in maps]
        optimiser = torch.optim.Adam(groups)
        for _ in range(self.steps):
            optimiser.zero_grad()
            info_nce(x @ maps[0], y @ maps[1]).mean().backward()
            optimiser.step()
        self.voice_map, self.face_map = (part.detach().double().numpy() for part in maps)
        return self

    def score(self, voice: np.ndarray, faces: np.ndarray) -> np.ndarray:
        """Cosine in the common space, (Q, N)."""
        faces = np.asarray(faces, float) - self.face_mean
        return unit(self._standardised(voice) @ self.voice_map) @ unit(faces @ self.face_map).T


@dataclass
class Average:
    """Several heads, their scores brought to one scale per voice and averaged."""

    heads: tuple[Head, ...]

    def fit(self, voice: np.ndarray, face: np.ndarray) -> Average:
        """Fit every head on the same pairs."""
        for head in self.heads:
            head.fit(voice, face)
        return self

    def predict(self, voice: np.ndarray) -> np.ndarray:
        """Mean of the predicted face features, (Q, F)."""
        return np.mean([head.predict(voice) for head in self.heads], axis=0)

    def score(self, voice: np.ndarray, faces: np.ndarray) -> np.ndarray:
        """Mean of the standardised scores, (Q, N)."""
        scores = [head.score(voice, faces) for head in self.heads]
        return np.mean([(s - s.mean(axis=1, keepdims=True)) / s.std(axis=1, keepdims=True) for s in scores], axis=0)
