"""How much evidence is a match? Likelihood ratios, the way forensic speaker comparison asks.

An extension of the paper: a retrieval number says how good a list is, a likelihood ratio how much a single
score should move a belief, and Cllr how well calibrated and how informative the scores are (0 perfect,
1 no information).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from s2f_lib.metrics import checks


def cllr(same: np.ndarray, different: np.ndarray) -> float:
    """Log-likelihood-ratio cost of natural-log ratios, in bits; 0 is perfect, 1 is what a coin knows.

    Notes
    -----
    Source: Brümmer and du Preez (2006), "Application-independent evaluation of speaker detection".

    Examples
    --------
    >>> cllr(np.zeros(3), np.zeros(5))
    1.0
    """
    same, different = checks.column(same, "same"), checks.column(different, "different")
    return float((np.logaddexp(0, -same).mean() + np.logaddexp(0, different).mean()) / (2 * np.log(2)))


def auc(same: np.ndarray, different: np.ndarray) -> float:
    """Probability that a same-person score is above a different-person score, ties half; scores are checked first."""
    from s2f_lib.faces import verify

    return verify.auc(checks.column(same, "same"), checks.column(different, "different"))


def equal_error_rate(same: np.ndarray, different: np.ndarray) -> float:
    """Error where false matches are as frequent as false non-matches (linear between the two nearest scores)."""
    same, different = checks.column(same, "same"), checks.column(different, "different")
    cuts = np.concatenate([[-np.inf], np.unique(np.concatenate([same, different])), [np.inf]])
    miss = np.searchsorted(np.sort(same), cuts, side="left") / len(same)
    false = 1 - np.searchsorted(np.sort(different), cuts, side="left") / len(different)
    i = int(np.flatnonzero(miss >= false)[0])
    gap0, gap1 = false[i - 1] - miss[i - 1], miss[i] - false[i]
    weight = gap0 / (gap0 + gap1) if gap0 + gap1 > 0 else 0.0
    return float(miss[i - 1] + weight * (miss[i] - miss[i - 1]))


@dataclass(frozen=True)
class Calibration:
    """Scores to natural-log likelihood ratios: ``slope * score + offset``."""

    slope: float
    offset: float

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        return self.slope * np.asarray(scores, float) + self.offset


def calibrate(same: np.ndarray, different: np.ndarray) -> Calibration:
    """Fit a calibration on training scores by logistic regression with the prior taken out."""
    from sklearn.linear_model import LogisticRegression

    same, different = checks.column(same, "same"), checks.column(different, "different")
    x = np.concatenate([same, different])[:, None].astype(float)
    y = np.r_[np.ones(len(same)), np.zeros(len(different))]
    scale = x.std() or 1.0
    model = LogisticRegression(C=1e4, class_weight="balanced").fit(x / scale, y)
    return Calibration(float(model.coef_[0, 0] / scale), float(model.intercept_[0]))


def pair_scores(v_s: np.ndarray, v_f: np.ndarray, groups: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Cosine of every voice with its own face, and with every other face (of its group, when given).

    Returns
    -------
    same, shape (N,), and different, shape (up to N * (N - 1),)
    """
    from s2f_lib.metrics.similarity import unit

    v_s, v_f = checks.paired(v_s, v_f)
    cosine = unit(v_s, "v_s") @ unit(v_f, "v_f").T
    other = ~np.eye(len(v_s), dtype=bool)
    if groups is not None:
        groups = checks.column(groups, "groups", len(v_s))
        other &= groups[:, None] == groups[None]
    if not other.any():
        raise ValueError("there is no pair of two different people to compare with")
    return np.diag(cosine).copy(), cosine[other]
