"""How far do 900 real pairs go? Small heads on a frozen voice feature, against the authors' own pictures.

Everything is scored alike: the voice of each clip against the true faces of all clips of other speakers, by heads that
saw neither the clip nor its speaker. The settings of a head are chosen inside the training folds only.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from s2f_lib import io, metrics
from s2f_lib.published import matching, own_encoder
from s2f_lib.published.comparisons import centred_cosine, rank_histogram
from s2f_lib.published.findings import Findings
from s2f_lib.published.voice_heads import Average, ContrastiveHead, Head, KernelHead, LikelihoodHead, RidgeHead

# Candidates of the heads, wide on purpose; which of them is taken is decided inside the training folds.
ALPHAS, SHRINKS, SCALINGS = (300.0, 1000.0, 3000.0, 10_000.0), (0.3, 0.7), ("each", "one")
WIDTHS, KERNEL_ALPHAS = (1.0, 3.0), (30.0, 300.0, 3000.0)
STEPS = (20, 60)

ONCE = ("authors", "own_fine_tuned")  # has no folds; takes minutes


@dataclass(frozen=True)
class Pairs:
    """N clips with a voice feature, the true face, and the authors' picture made from the same voice."""

    voice: np.ndarray  # (N, V)
    face: np.ndarray  # (N, F), of the true face
    authors: np.ndarray  # (N, F), of the authors' S2F picture
    speakers: np.ndarray  # (N,)
    sex: np.ndarray  # (N,) label of the true face by the classifier
    own: np.ndarray | None = None  # (N, H), hidden feature of our own encoder, which only knows synthetic voices
    sound: np.ndarray | None = None  # (N, 96000) int16, for training that encoder on

    def __len__(self) -> int:
        return len(self.voice)


def ridge(alpha: float = 1000.0) -> Callable:
    """A ``make`` for `matching.out_of_fold`: ridge regression with a fixed penalty, nothing chosen."""
    return lambda voice, face, speakers: RidgeHead(alpha).fit(voice, face)


def best() -> Callable:
    """A ``make``: the likelihood head, its three settings chosen by an inner cross-validation."""
    grid = itertools.product(ALPHAS, SHRINKS, SCALINGS)
    return matching.chosen([lambda settings=settings: LikelihoodHead(*settings) for settings in grid])


def kernel() -> Callable:
    """A ``make``: the likelihood head behind an RBF kernel, its width and penalty chosen the same way."""
    grid = itertools.product(KERNEL_ALPHAS, WIDTHS)
    return matching.chosen([lambda a=alpha, w=width: KernelHead(a, 0.7, w) for alpha, width in grid])


def contrastive() -> Callable:
    """A ``make``: the contrastive head, its number of steps chosen the same way."""
    return matching.chosen([lambda steps=steps: ContrastiveHead(3000.0, steps) for steps in STEPS])


def ensemble(voice: np.ndarray, face: np.ndarray, speakers: np.ndarray) -> Head:
    """A ``make``: three kinds of head with their usual settings, scores averaged; nothing chosen."""
    return Average((LikelihoodHead(), KernelHead(300.0), ContrastiveHead())).fit(voice, face)


def contestants(pairs: Pairs) -> dict[str, Callable[[int], np.ndarray]]:
    """Name -> function of the repeat's seed that gives scores (N, N).

    ``authors`` are scored as they are, by centred cosine. ``authors_calibrated`` gives them what our heads have: a
    likelihood head from the feature of their picture to that of the true face, trained and tested in the same folds.
    ``gender_only`` knows nothing but the gender label of the *true* face: what a perfect gender classifier would reach.
    The three ``own`` ones use our voice encoder, which learned from synthetic people only: its hidden layer as a voice
    feature, alone and beside the speaker feature, and the encoder trained on with the pairs of each fold.
    """

    def folds(make: Callable, voice: np.ndarray) -> Callable[[int], np.ndarray]:
        return lambda seed: matching.out_of_fold(make, voice, pairs.face, pairs.speakers, seed=seed)

    label = (pairs.sex == "female").astype(float)[:, None]
    found = {
        "ridge": folds(ridge(), pairs.voice),
        "best": folds(best(), pairs.voice),
        "kernel": folds(kernel(), pairs.voice),
        "contrastive": folds(contrastive(), pairs.voice),
        "ensemble": folds(ensemble, pairs.voice),
        "authors": lambda seed: centred_cosine(pairs.authors, pairs.face),
        "authors_calibrated": folds(best(), pairs.authors),
        "both": folds(best(), np.hstack([_even(pairs.voice), _even(pairs.authors)])),
        "gender_only": folds(ridge(1.0), label),
    }
    if pairs.own is not None:
        found["own"] = folds(best(), pairs.own)
        found["own_and_speaker"] = folds(best(), np.hstack([_even(pairs.voice), _even(pairs.own)]))
    if pairs.sound is not None:
        found["own_fine_tuned"] = lambda seed: own_encoder.fine_tuned(
            pairs.sound, pairs.face, pairs.speakers, seed=seed
        )
    return found


def measure(pairs: Pairs, findings: Findings, repeats: int = matching.REPEATS, progress: bool = True) -> None:
    """Run every contestant, add its numbers, and the differences from the authors with paired intervals."""
    from tqdm import tqdm

    per_clip = {}
    for name, scores in tqdm(contestants(pairs).items(), desc="heads", disable=not progress):
        found = [scores(seed) for seed in range(1 if name in ONCE else repeats)]
        ranks = [matching.ranks(one, pairs.speakers) for one in found]
        within = [matching.ranks(one, pairs.speakers, pairs.sex) for one in found]
        per_clip[name] = {None: matching.measures(ranks), "gender label": matching.measures(within)}
        for group, values in per_clip[name].items():
            of = {"experiment": "contest", "contestant": name, "within": group}
            for (measure, k), value in matching.intervals(values, pairs.speakers).items():
                findings.add(measure, value, **of, k=k)
        counted = np.sum([rank_histogram(one) for one in ranks], axis=0)
        findings.count("ranks", counted, contestant=name, gallery=len(pairs))
    for name, rival in itertools.product(("ridge", "best"), ("authors", "authors_calibrated")):
        for key, within in ((("match", 2), None), (("top_percent", 10), None), (("match", 2), "gender label")):
            gain = per_clip[name][within][key] - per_clip[rival][within][key]
            of = {"experiment": "contest", "contestant": name, "against": rival, "within": within, "k": key[1]}
            findings.add(f"{key[0]}_gain", metrics.inference.mean_interval(gain, pairs.speakers), **of)


def learning_curve(pairs: Pairs, sizes: tuple[int, ...], repeats: int = 3) -> list[dict]:
    """1:2 matching and first 10 % of the likelihood head with only some of the training pairs, as rows; means."""
    curve = []
    for size in sizes:
        found = []
        for repeat in range(repeats):
            rng = np.random.default_rng((0, size, repeat))

            def make(voice, face, speakers, rng=rng, size=size):
                rows = rng.permutation(len(voice))[:size]
                return LikelihoodHead(3000.0 * len(rows) / 800).fit(voice[rows], face[rows])

            scores = matching.out_of_fold(make, pairs.voice, pairs.face, pairs.speakers, seed=repeat)
            found.append(matching.ranks(scores, pairs.speakers))
        means, of = matching.measures(found), {"experiment": "learning curve", "clips": size}
        for measure, k in (("match", 2), ("top_percent", 10)):
            curve.append(io.row(measure, float(means[measure, k].mean()), **of, k=k))
    return curve


def _even(x: np.ndarray) -> np.ndarray:
    return (x - x.mean()) / x.std()
