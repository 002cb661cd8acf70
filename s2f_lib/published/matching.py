"""From scores of voices against faces to 1:2 matching and top-K percent, on folds that share no speaker."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from s2f_lib import metrics
from s2f_lib.metrics import inference
from s2f_lib.metrics.retrieval import Ranks
from s2f_lib.published.voice_heads import Head

PERCENTS = (1, 2, 5, 10)
FOLDS, INNER_FOLDS, REPEATS = 10, 3, 2


def folds_by_speaker(speakers: Sequence, folds: int = FOLDS, seed: int = 0) -> np.ndarray:
    """A fold per clip, (N,) in 0 .. folds - 1, one for all clips of a speaker; ValueError for too few speakers."""
    _, number = np.unique(inference.as_column(speakers, "speakers"), return_inverse=True)
    people = number.max() + 1
    if people < folds:
        raise ValueError(f"{people} speakers cannot fill {folds} folds; bring more clips or ask for fewer folds")
    fold = np.empty(people, int)
    fold[np.random.default_rng(seed).permutation(people)] = np.arange(people) % folds
    return fold[number]


def ranks(scores: np.ndarray, speakers: Sequence, groups: Sequence | None = None) -> Ranks:
    """Rank every clip's own face among the faces of other speakers, by scores (N, N) of voice i against face j.

    Other clips of the same speaker are no wrong answers: they are left out of the gallery. With ``groups`` only faces
    of the same group (the same gender label, say) stay in it. ValueError if the scores are not square, or the labels
    not one per clip.
    """
    scores = inference.as_features(scores, "scores")
    if scores.shape[0] != scores.shape[1]:
        raise ValueError(f"scores should be clips x clips, got {scores.shape}")
    speakers = _numbered(inference.as_column(speakers, "speakers", len(scores)))
    other = speakers[:, None] != speakers[None]
    if groups is not None:
        groups = _numbered(inference.as_column(groups, "groups", len(scores)))
        other &= groups[:, None] == groups[None]
    own = np.diag(scores)[:, None]
    return Ranks(((scores > own) & other).sum(axis=1), ((scores == own) & other).sum(axis=1), other.sum(axis=1) + 1)


def out_of_fold(
    make: Callable[[np.ndarray, np.ndarray, np.ndarray], Head],
    voice: np.ndarray,
    face: np.ndarray,
    speakers: Sequence,
    folds: int = FOLDS,
    seed: int = 0,
) -> np.ndarray:
    """Scores (N, N) in which every row comes from a head that saw neither that clip nor its speaker.

    ``make`` takes the training voices, faces and speakers of one fold and gives a fitted head. All choosing of settings
    happens in there (nested cross-validation), so that nothing is tuned on the clips it is tested on.
    """
    speakers = np.asarray(speakers)
    fold = folds_by_speaker(speakers, folds, seed)
    scores = np.empty((len(voice), len(voice)))
    for test in (fold == number for number in range(folds)):
        head = make(voice[~test], face[~test], speakers[~test])
        scores[test] = head.score(voice[test], face)
    return scores


def chosen(candidates: Sequence[Callable[[], Head]], folds: int = INNER_FOLDS) -> Callable:
    """A ``make`` for `out_of_fold` that picks the best candidate by an inner cross-validation, then fits it on all.

    Best means the highest 1:2 matching on the inner test clips. Left-out predictions of one fit would be cheaper, but
    the covariances of a likelihood head have seen those clips, and weak shrinkage then looks better than it is.
    """

    def make(voice: np.ndarray, face: np.ndarray, speakers: np.ndarray) -> Head:
        results = []
        for new in candidates:
            scores = out_of_fold(lambda v, f, _, new=new: new().fit(v, f), voice, face, speakers, folds)
            results.append(ranks(scores, speakers).match(2).mean())
        return candidates[int(np.argmax(results))]().fit(voice, face)

    return make


def measures(found: Iterable[Ranks]) -> dict[tuple[str, int], np.ndarray]:
    """Per clip, by measure and k: 1:2 matching and first K % of the gallery, means over repeats; each of shape (N,)."""
    found = list(found)
    out = {("match", 2): np.mean([r.match(2) for r in found], axis=0)}
    for percent in PERCENTS:
        out["top_percent", percent] = np.mean([r.hit_percent(percent) for r in found], axis=0)
    return out


def intervals(per_clip: dict[tuple, np.ndarray], speakers: Sequence) -> dict[tuple, metrics.inference.Interval]:
    """Mean of each measure with its 95 % bootstrap interval, speakers drawn with all their clips."""
    speakers = np.asarray(speakers)
    out = {}
    for name, values in per_clip.items():
        kept = np.isfinite(values)
        out[name] = metrics.inference.mean_interval(values[kept], speakers[kept])
    return out


def _numbered(names: np.ndarray) -> np.ndarray:
    """Names as whole numbers: a million comparisons of strings take longer than the ranking itself."""
    return np.unique(names, return_inverse=True)[1]
