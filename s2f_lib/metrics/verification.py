"""Do two features belong to one person, and how much evidence is a match? AUC, error rates, likelihood ratios.

Likelihood ratios are the way forensic speaker comparison asks, an extension of the paper: a retrieval number says how
good a list is, a likelihood ratio how much a single score should move a belief, and Cllr how well calibrated and how
informative the scores are (0 perfect, 1 no information).
"""

from collections.abc import Callable

import numpy as np

from s2f_lib.metrics import inference, similarity


def _scores(same: np.ndarray, different: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores of one person's pairs and of two people's, checked."""
    return inference.as_column(same, "same"), inference.as_column(different, "different")


def cllr(same: np.ndarray, different: np.ndarray) -> float:
    """Log-likelihood-ratio cost of natural-log ratios, in bits; 0 is perfect, 1 is what a coin knows.

    Source: Brümmer and du Preez (2006), "Application-independent evaluation of speaker detection".

    Examples
    --------
    >>> cllr(np.zeros(3), np.zeros(5))
    1.0
    """
    same, different = _scores(same, different)
    return float((np.logaddexp(0, -same).mean() + np.logaddexp(0, different).mean()) / (2 * np.log(2)))


def auc(same: np.ndarray, different: np.ndarray) -> float:
    """Probability that a same-person score is above a different-person score, ties half: the area under the ROC curve.

    Examples
    --------
    >>> auc(np.array([2.0, 3.0]), np.array([1.0, 2.5]))
    0.75
    """
    same, different = _scores(same, different)
    different = np.sort(different)
    below = np.searchsorted(different, same, "left") + np.searchsorted(different, same, "right")
    return float(below.mean() / (2 * len(different)))


def auc_of_people(cosine: np.ndarray, who: np.ndarray, groups: np.ndarray | None = None) -> float:
    """AUC of people with themselves against people with others; some may have been drawn twice, by a bootstrap.

    `cosine` (n, n) is that of every person's first feature with every person's second one, own pairs on the diagonal;
    `who` (m,) are the rows of the people that count. With `groups` (n,) only people of one group are compared.
    """
    other = who[:, None] != who
    if groups is not None:
        other &= groups[who][:, None] == groups[who]
    first, second = np.nonzero(other)
    return auc(cosine[who, who], cosine[who[first], who[second]])


def auc_of_pictures(features: np.ndarray, among: np.ndarray | None = None) -> float:
    """AUC of telling two pictures of one person from pictures of two people, by the cosine of features (n, items, D).

    `among` (n, n) are the pairs of different people that count; by default all. With `matched_pairs` the comparison is
    only with people of the same sex, group and about the same age.
    """
    n, items = features.shape[:2]
    flat = features.reshape(n * items, -1)
    cosine = similarity.cosines(flat, flat).reshape(n, items, n, items).transpose(0, 2, 1, 3)
    upper = np.triu(np.ones((n, n), bool), 1) & (True if among is None else among)
    first, second = np.triu_indices(items, 1)
    return auc(cosine[np.arange(n), np.arange(n)][:, first, second].ravel(), cosine[upper].ravel())


def matched_pairs(sex: np.ndarray, group: np.ndarray, age: np.ndarray, years: float = 10.0) -> np.ndarray:
    """Which pairs of people agree in sex and group and differ by at most ``years`` of age: (n, n) bool."""
    same = (sex[:, None] == sex[None]) & (group[:, None] == group[None])
    return same & (np.abs(age[:, None] - age[None]) <= years)


def equal_error_rate(same: np.ndarray, different: np.ndarray) -> float:
    """Error where false matches are as frequent as false non-matches (linear between the two nearest scores)."""
    same, different = _scores(same, different)
    cuts = np.concatenate([[-np.inf], np.unique(np.concatenate([same, different])), [np.inf]])
    miss = np.searchsorted(np.sort(same), cuts, side="left") / len(same)
    false = 1 - np.searchsorted(np.sort(different), cuts, side="left") / len(different)
    i = int(np.flatnonzero(miss >= false)[0])
    gap0, gap1 = false[i - 1] - miss[i - 1], miss[i] - false[i]
    weight = gap0 / (gap0 + gap1) if gap0 + gap1 > 0 else 0.0
    return float(miss[i - 1] + weight * (miss[i] - miss[i - 1]))


def calibrate(same: np.ndarray, different: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Scores to natural-log likelihood ratios: a line, fitted on training scores by logistic regression.

    The prior is taken out. ValueError for NaN, or one side without a score.
    """
    from sklearn.linear_model import LogisticRegression

    x = np.concatenate([same, different])[:, None].astype(float)
    y = np.r_[np.ones(len(same)), np.zeros(len(different))]
    scale = x.std() or 1.0
    model = LogisticRegression(C=1e4, class_weight="balanced").fit(x / scale, y)
    slope, offset = float(model.coef_[0, 0] / scale), float(model.intercept_[0])
    return lambda scores: slope * np.asarray(scores, float) + offset


def pair_scores(v_s: np.ndarray, v_f: np.ndarray, groups: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Cosine of every voice with its own face, and with every other face (of its group, when given).

    Gives `same` (N,) and `different`, up to N * (N - 1). ValueError if there is no such pair.
    """
    v_s, v_f = inference.paired(v_s, v_f)
    cosine = inference.directions(v_s, "v_s") @ inference.directions(v_f, "v_f").T
    other = ~np.eye(len(v_s), dtype=bool)
    if groups is not None:
        groups = inference.as_column(groups, "groups", len(v_s))
        other &= groups[:, None] == groups[None]
    if not other.any():
        raise ValueError("there is no pair of two different people to compare with")
    return np.diag(cosine).copy(), cosine[other]


def summary(v_s: np.ndarray, v_f: np.ndarray, groups: np.ndarray | None = None) -> dict[str, float]:
    """The cosine as evidence that voice and face belong together: AUC, equal error rate, Cllr, median likelihood ratio.

    The calibration is fitted on even rows and used on odd ones; with `groups` (N,) people of one group are compared.
    """
    fit, used = (
        pair_scores(v_s[half], v_f[half], None if groups is None else groups[half])
        for half in (slice(0, None, 2), slice(1, None, 2))
    )
    ratio, (same, different) = calibrate(*fit), used
    return {
        "auc": auc(same, different),
        "equal_error_rate": equal_error_rate(same, different),
        "cllr": cllr(ratio(same), ratio(different)),
        "median_likelihood_ratio": float(np.exp(np.median(ratio(same)))),
    }
