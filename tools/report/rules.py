"""How each claim of the paper is judged: a function of the records that gives our numbers, and what they are worth.

Beside our numbers stand those of a *null*, an encoder or an answer that knows nothing about the face, and those of the
*oracle*. A rule that the null passes as well as we do decides nothing: its verdict is "void". What each rule says in
words stands in `tools.report.claims`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from s2f_lib.io import Record
from s2f_lib.metrics import inference
from s2f_lib.published.paper import RETRIEVAL

VERDICTS = ("holds", "partly", "no", "void", "not tested")
LATER = "not measured yet"
EVALUATION, ETHICS, ABLATION, PICTURES = "evaluation_synthetic", "ethics", "loss_ablation", "published_avspeech"
LONG = "long_ablation"
VOICES = "voices"


class NotRun(LookupError):
    """A record, or a number in it, does not exist yet."""


@dataclass(frozen=True)
class Records:
    """Numbers by record, measure and condition."""

    read: Callable[[str], Record | None]

    def row(self, record: str, measure: str, **conditions: Any) -> dict[str, Any]:
        """The one row under these conditions, with its value as both ends where it has no interval, or NotRun."""
        found = self.read(record)
        if found is None or not found.matching(measure=measure, **conditions):
            raise NotRun(f"results/{record}.json: {measure} {conditions}")
        row = found.row(measure, **conditions)
        return {"low": row["value"], "high": row["value"]} | row

    def value(self, record: str, measure: str, **conditions: Any) -> float:
        """Its number."""
        return self.row(record, measure, **conditions)["value"]

    def command(self, record: str) -> str:
        """What to type to measure a record again."""
        return "" if (found := self.read(record)) is None else found.command

    def n(self, record: str) -> int:
        """People or clips behind a record."""
        return 0 if (found := self.read(record)) is None else found.n


@dataclass(frozen=True)
class Judged:
    """Our numbers and the grade they get; the same of the null; and the oracle's numbers."""

    ours: str
    grade: str
    null: str = "–"
    null_grade: str = "no"
    oracle: str = "–"

    @property
    def verdict(self) -> str:
        """The grade, or "void" where the null does as well."""
        order = ("no", "partly", "holds")
        passed = self.grade in order[1:] and order.index(self.null_grade) >= order.index(self.grade)
        return "void" if passed else self.grade


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _span(row: dict[str, Any], scale: float = 1.0, digits: int = 1) -> str:
    return f"[{scale * row['low']:.{digits}f}, {scale * row['high']:.{digits}f}]"


def _share(row: dict[str, Any]) -> str:
    return f"{_percent(row['value'])} {_span(row, 100)}"


def _number(row: dict[str, Any]) -> str:
    return f"{row['value']:.2f} {_span(row, digits=2)}"


def _graded(full: bool, part: bool) -> str:
    return "holds" if full else "partly" if part else "no"


def _or_later(text: Callable[[], str]) -> str:
    """A text about numbers that may be missing."""
    try:
        return text()
    except NotRun:
        return LATER


def angle(r: Records) -> Judged:
    def at(predictor: str) -> float:
        return r.value(EVALUATION, "angle", experiment="similarity", predictor=predictor)

    ours = {"experiment": "similarity", "predictor": "voice", "seconds": 6}
    row, gain = r.row(EVALUATION, "angle", **ours), r.row(EVALUATION, "angle_gain", against="sex alone", **ours)
    text = (
        f"{row['value']:.1f}° {_span(row)}; mean feature {at('mean feature'):.1f}°, sex alone {at('sex alone'):.1f}°, "
        f"sex and decade {at('sex and decade'):.1f}°; demographics, with a group that no voice tells, "
        f"{at('demographics'):.1f}°"
    )
    null = r.row(EVALUATION, "angle", experiment="similarity", predictor="null encoder")
    null_grade = _graded(null["high"] < at("sex alone"), null["high"] < at("mean feature"))
    grade = _graded(gain["low"] > 0, row["high"] < at("mean feature"))
    return Judged(text, grade, f"{null['value']:.1f}°", null_grade, f"{at('oracle'):.1f}°")


def longer(r: Records) -> Judged:
    against = {"predictor": "voice", "against": "voice, 3 s"}
    gain = r.row(EVALUATION, "angle_gain", **against)
    top6, top3 = (r.value(EVALUATION, "top_percent", k=10, **_cosine("voice", seconds)) for seconds in (6, 3))
    more = r.row(EVALUATION, "top_percent_gain", k=10, **against)
    ours = (
        f"{gain['value']:.2f}° {_span(gain, digits=2)} nearer than with 3 s; top 10 %: {_percent(top3)} → "
        f"{_percent(top6)}, difference {_span(more, 100)} points"
    )
    null = r.row(EVALUATION, "angle_gain", predictor="null encoder", against="null encoder, 3 s")
    grade = _graded(gain["low"] > 0 and more["low"] > 0, gain["low"] > 0)
    return Judged(ours, grade, f"{null['value']:.2f}°", _graded(False, null["low"] > 0))


def _cosine(predictor: str, seconds: int | None = None, within: str | None = None) -> dict:
    """Conditions of the retrieval among everybody, or among people who share something."""
    found = {"experiment": "retrieval", "metric": "cosine", "predictor": predictor, "within": within}
    return found | ({"seconds": seconds} if seconds else {})


def retrieval(r: Records) -> Judged:
    row = r.row(EVALUATION, "top_percent", k=10, **_cosine("voice", 6))
    names = ("chance", "sex alone", "oracle", "demographics")
    chance, sex_alone, best, told = (r.value(EVALUATION, "top_percent", k=10, **_cosine(name)) for name in names)
    less = _or_later(
        lambda: f"{-100 * r.value(ETHICS, 'top_percent_gain', predictor='voice', against='sex and decade'):.1f} points"
    )
    gain = r.row(EVALUATION, "top_percent_gain", k=10, predictor="voice", against="sex alone")
    text = (
        f"{_share(row)} of N = {r.n(EVALUATION):,}; chance {_percent(chance)}, sex alone "
        f"{_percent(sex_alone)}; sex and decade would find {less} more; demographics {_percent(told)}"
    )
    null = r.row(EVALUATION, "top_percent", k=10, **_cosine("null encoder"))
    null_grade = _graded(null["low"] > sex_alone, null["low"] > chance)
    grade = _graded(gain["low"] > 0, row["low"] > chance)
    return Judged(text, grade, _percent(null["value"]), null_grade, _percent(best))


def alike(r: Records) -> Judged:
    """Conditional on sex and decade: the gain over chance, as a share of the oracle's."""
    within = "sex and decade"
    voice = r.row(EVALUATION, "match", k=2, **_cosine("voice", 6, within))
    oracle = r.row(EVALUATION, "match", k=2, **_cosine("oracle", within=within))
    share = (voice["value"] - 0.5) / (oracle["value"] - 0.5)
    text = f"1:2 {_share(voice)}, chance 50 %; {_percent(share)} of the oracle's gain"
    null = r.row(EVALUATION, "match", k=2, **_cosine("null encoder", within=within))
    null_share = (null["value"] - 0.5) / (oracle["value"] - 0.5)
    grade = _graded(voice["low"] > 0.5 and share > 0.5, voice["low"] > 0.5)
    null_grade = _graded(null["low"] > 0.5 and null_share > 0.5, null["low"] > 0.5)
    return Judged(text, grade, _percent(null["value"]), null_grade, _percent(oracle["value"]))


def rank(r: Records) -> Judged:
    ranks = {"experiment": "printed ranks", "gallery": 5000}
    first, top = r.value(PICTURES, "recall_at", k=1, **ranks), r.value(PICTURES, "top_percent", k=1, **ranks)
    ours = (
        f"of the authors' 100 printed queries {100 * first:.0f} are first and {100 * top:.0f} in the top 1 % of 5,000; "
        f"median rank {r.value(PICTURES, 'median_rank', **ranks):.0f}"
    )
    return Judged(ours, _graded(first > 0.05, False))


def _agreement(r: Records, label: str, face: str = "S2F") -> tuple[dict[str, Any], float, str]:
    """How often a label read off a face is the assigned one, the share of a constant guess, and words beside."""
    of = {"label": label, "pair": f"assigned x {face}"}
    row, constant = r.row(EVALUATION, "agreement", **of), r.value(EVALUATION, "agreement_constant", **of)
    f2f = r.value(EVALUATION, "agreement", label=label, pair="assigned x F2F")
    return row, constant, f"F2F {_percent(f2f)}, constant guess {_percent(constant)}"


def sex(r: Records) -> Judged:
    row, constant, read_off = _agreement(r, "sex")
    null, _, _ = _agreement(r, "sex", "null encoder")
    best, _, _ = _agreement(r, "sex", "oracle")
    grade, null_grade = (_graded(of["low"] > 0.85, of["low"] > constant) for of in (row, null))
    return Judged(f"{_share(row)}; {read_off}", grade, _percent(null["value"]), null_grade, _percent(best["value"]))


def age(r: Records) -> Judged:
    row, constant, read_off = _agreement(r, "decade")
    near = r.value(EVALUATION, "within_one_decade", label="decade", pair="assigned x S2F")
    ours = f"same decade {_share(row)}, within one {_percent(near)}; {read_off}"

    def judged(face: str) -> tuple[str, str]:
        of = _agreement(r, "decade", face)[0]
        balanced = r.value(EVALUATION, "balanced_accuracy", label="decade", pair=f"assigned x {face}")
        return _percent(of["value"]), _graded(of["low"] > constant, balanced > 1.2 / 8)

    return Judged(ours, judged("S2F")[1], *judged("null encoder"), oracle=judged("oracle")[0])


def group(r: Records) -> Judged:
    row, constant, read_off = _agreement(r, "group")

    def skin(world: str, predictor: str = "ridge baseline") -> dict:
        return r.row(ETHICS, "r", experiment="worlds", attribute="skin", world=world, predictor=predictor)

    plain, mixed, null = skin("physiology"), skin("confounded"), skin("null")
    ours = (
        f"invented group {_share(row)}; {read_off}. Skin drawn by the ridge baseline: r {_number(plain)} where "
        f"language tells nothing, {_number(mixed)} where it follows the group"
    )
    best = [skin(world, "oracle")["value"] for world in ("physiology", "confounded")]
    grade = _graded(row["low"] > constant and plain["low"] > 0.1, mixed["low"] > 0.1)
    null_grade = _graded(False, null["low"] > 0.1)
    return Judged(ours, grade, f"r {null['value']:.2f}", null_grade, f"r {best[0]:.2f} and {best[1]:.2f}")


def _shape(r: Records, record: str, how: str, **pair: str) -> tuple[int, float]:
    """Significant correlations of 13, and the median."""
    of = {"experiment": "craniofacial", "how": how, **pair}
    return int(r.value(record, "significant", **of)), r.value(record, "median_r", **of)


def _measures(r: Records, how: str, other: str, enough: tuple[int, int]) -> dict[str, tuple[str, str]]:
    """Words and grade of the face measures drawn by voice, null encoder and oracle against other faces."""
    found = {}
    for face in ("S2F", "null encoder", "oracle"):
        significant, median = _shape(r, EVALUATION, how, pair=f"{face} x {other}")
        text = f"{significant} of 13 significant (Holm), median r {median:.2f}"
        found[face] = text, _graded(significant >= enough[0], significant >= enough[1])
    return found


def _shapes(r: Records, how: str, other: str, enough: tuple[int, int], more: str) -> Judged:
    """A verdict on face measures; ``more`` follows our numbers."""
    found = _measures(r, how, other, enough)
    best, ceiling = _shape(r, EVALUATION, how, pair="F2F x truth")
    oracle = f"{found['oracle'][0]}; F2F with truth: {best} of 13, {ceiling:.2f}"
    return Judged(found["S2F"][0] + more, found["S2F"][1], *found["null encoder"], oracle)


def craniofacial(r: Records) -> Judged:
    return _shapes(r, "pooled", "F2F", (11, 4), "")


def individual(r: Records) -> Judged:
    return _shapes(r, "adjusted", "truth", (7, 1), ", against the true face, sex and age taken out")


def individual_published(r: Records) -> Judged:
    of = {"reference": "f2f", "picture": "s2f_07"}
    found, median = _shape(r, PICTURES, "adjusted", **of)
    before = r.value(PICTURES, "median_r", experiment="craniofacial", how="pooled", **of)
    ours = f"{found} of 13 significant (Holm), median r {median:.2f} ({before:.2f} before), S2F with F2F"
    random = [row["value"] for row in r.read(PICTURES).matching(experiment="craniofacial", how="random", **of)]
    p = 2 * norm.sf(np.abs(np.arctanh(random)) * np.sqrt(r.n(PICTURES) - 3))
    passed = int((inference.holm(p) < 0.05).sum())
    null = f"random pairs: {passed} of 13, median r {round(np.median(random), 2) + 0:.2f}"
    return Judged(ours, _graded(found >= 7, found >= 1), null, _graded(passed >= 7, passed >= 1))


def consistent(r: Records) -> Judged:
    def judged(predictor: str | None) -> tuple[str, str]:
        def of(pair: str, within: str | None = None) -> dict:
            return r.row(EVALUATION, "clip_angle", pair=pair, within=within, predictor=predictor)

        same, other, alike = of("same person"), of("two people"), of("two people", "sex and decade")
        digits = 1 if same["value"] > 1 else 3
        values = [f"{row['value']:.{digits}f}°" for row in (same, other, alike)]
        words = "{} between clips of one person, {} between people; between people of one sex and decade: {}"
        high, low = same["high"], other["low"]
        return words.format(*values), _graded(high < 0.7 * low, high < low)

    null, null_grade = judged("untrained")
    return Judged(*judged(None), f"untrained: {null}", null_grade)


def batch_norm(r: Records) -> Judged:
    def number(measure: str, **of: Any) -> list[float]:
        names = ("no_norm_l2", "he_l2", "l2")
        return [r.value(ABLATION, measure, experiment="main", variant=name, **of) for name in names]

    angles, tops, sexes = number("angle", seconds=6), number("top_percent", k=10, seconds=6), number("sex_right")
    words = ("without, default start", "without, He's start", "with")
    ours = "; ".join(
        f"{words[i]}: {angles[i]:.1f}°, top 10 % {_percent(tops[i])}, sex {_percent(sexes[i])}" for i in range(3)
    )
    default, he = (abs(tops[i] - 0.1) < 0.01 and abs(sexes[i] - 0.5) < 0.02 for i in range(2))
    grade = _graded(default and he and tops[2] > 0.12, default or tops[0] < tops[2])
    return Judged(f"{ours} (mean feature {_mean_face(r):.1f}°, chance 10 % and 50 %)", grade)


def _mean_face(r: Records, study: str = ABLATION) -> float:
    """Angle of the mean feature on the people of an ablation's main runs."""
    return r.value(study, "angle", experiment="start", people="test", aim="v_f")


def loss(r: Records) -> Judged:
    slower, unstable = (r.value(ABLATION, "confirmed", question=f"L1 {what}") for what in ("slower", "less stable"))
    word = {1: "yes", 0: "no", 0.5: "undecided"}
    names = ("l1", "full", "full_rederived")
    ends = [r.value(ABLATION, "angle", experiment="main", variant=name, seconds=6) for name in names]
    ours = (
        f"L1 slower: {word.get(slower, slower)}; L1 less stable: {word.get(unstable, unstable)}; after as many clips "
        f"L1 ends at {ends[0]:.1f}°, the full loss at {ends[1]:.1f}°, with re-derived weights at {ends[2]:.1f}° (mean "
        f"feature {_mean_face(r):.1f}°)"
    )
    if r.n(LONG):
        of = {"experiment": "main", "seconds": 6}
        l1, full = (r.row(LONG, "angle", variant=name, **of) for name in ("l1", "full_rederived"))
        ours += (
            f"; sixteen times as long: L1 {l1['value']:.1f} ± {l1['sd']:.1f}°, re-derived {full['value']:.1f} ± "
            f"{full['sd']:.1f}° (five seeds; mean feature {_mean_face(r, LONG):.1f}°)"
        )
    return Judged(ours, _graded(slower == 1 and unstable == 1, slower > 0 or unstable > 0))


def clusters(r: Records) -> Judged:
    def purity(space: str) -> tuple[list[tuple[str, float, float]], str]:
        rows, above = [], 0
        for name in ("sex", "decade", "group"):
            of = {"experiment": "map", "space": space, "label": name}
            rows.append((name, r.value(EVALUATION, "purity", **of), r.value(EVALUATION, "purity_shuffled", **of)))
            above += r.value(EVALUATION, "p", **of) < 0.01
        return rows, _graded(above == 3, above > 0)

    (ours, grade), (untrained, null_grade) = purity("v_s"), purity("untrained")
    text = ", ".join(f"{name} {_percent(value)} (shuffled {_percent(chance)})" for name, value, chance in ours)
    null = "untrained: " + ", ".join(f"{name} {_percent(value)}" for name, value, _ in untrained)
    return Judged("neighbours of the same label: " + text, grade, null, null_grade)


def language(r: Records) -> Judged:
    def effect(world: str, predictor: str = "ridge baseline") -> dict:
        of = {"experiment": "language switch", "attribute": "skin", "world": world, "predictor": predictor}
        return r.row(ETHICS, "effect", **of)

    ours, null = effect("confounded"), effect("physiology")
    text = (
        f"the ridge baseline: skin lightness moves {_number(ours)} of the way between two groups when only the "
        "language changes (confounded world)"
    )
    grade, null_grade = (_graded(row["low"] > 0.1, row["low"] > 0) for row in (ours, null))
    oracle = f"{effect('confounded', 'oracle')['value']:.2f}"
    return Judged(text, grade, f"{null['value']:.2f} in physiology", null_grade, oracle)


def identity(r: Records) -> Judged:
    def grade(first: float, high: float) -> str:
        return _graded(first < 0.01 and high < 0.75, first < 0.05)

    first, n = r.value(EVALUATION, "recall_at", k=1, **_cosine("voice", 6)), r.n(EVALUATION)
    of = {"experiment": "identity", "predictor": "voice"}
    match = r.row(ETHICS, "match", **of)
    text = (
        f"first of {n:,}: {_percent(first)}; 1:2 among people of the same sex, decade and group: {_share(match)}, "
        "chance 50 %"
    )
    chance = r.value(EVALUATION, "recall_at", k=1, **_cosine("chance"))
    null = f"random order: {_percent(chance)} and 50 %"
    labels = "sex, decade and group"
    best = (
        r.value(EVALUATION, "recall_at", k=1, **_cosine("oracle")),
        r.value(EVALUATION, "match", k=2, **_cosine("oracle", within=labels)),
    )
    oracle = " and ".join(map(_percent, best))
    return Judged(text, grade(first, match["high"]), null, grade(chance, 0.5), oracle)


def again(r: Records) -> Judged:
    of = {"label": "gender", "reference": "true", "picture": "s2f_07"}
    row = r.row(PICTURES, "agreement", **of)
    near = int(r.value(PICTURES, "within_tolerance"))
    constant = r.value(PICTURES, "agreement_constant", label="gender", source="paper")
    ours = (
        f"photograph and S2F picture have the same gender label in {_share(row)} of 900; "
        f"{near} of 12 craniofacial r within 0.10 of the paper's"
    )
    off = abs(row["value"] - 0.94)
    grade = _graded(off < 0.04 and near >= 10, off < 0.08)
    return Judged(ours, grade, f"constant guess {_percent(constant)}", _graded(False, abs(constant - 0.94) < 0.08))


def hacker_news(r: Records) -> Judged:
    """What a voice tells through anatomy (tract, lower face, jaw), and what through a shared way of speaking."""

    def body(attribute: str, world: str, predictor: str = "ridge baseline") -> dict:
        return r.row(ETHICS, "r", experiment="body", attribute=attribute, world=world, predictor=predictor)

    def found(world: str, styled: str) -> tuple[str, str]:
        face, jaw = body("lower face", world), body("jaw score", world)
        style = r.row(ETHICS, "auc", experiment="style", world=styled)
        names = (("lower face r", face), ("jaw r", jaw), ("glasses AUC", style))
        text = ", ".join(f"{name} {_number(row)}" for name, row in names)
        above = [face["low"] > 0, jaw["low"] > 0, style["low"] > 0.5]
        return text, _graded(all(above), any(above))

    (ours, grade), (null, null_grade) = found("physiology", "style"), found("null", "physiology")
    tract = body("tract length", "physiology")["value"]
    text = f"read by the ridge baseline, sex and age taken out: the tract itself r {tract:.2f}; {ours}"
    names = ("lower face", "jaw score")
    best = _or_later(lambda: ", ".join(f"{name} r {body(name, 'physiology', 'oracle')['value']:.2f}" for name in names))
    return Judged(text, grade, null, null_grade, best)


def avspeech(r: Records) -> Judged:
    ours = "evaluation_avspeech"
    value = r.value(ours, "angle", experiment="similarity", predictor="voice", seconds=6)
    mean = r.value(ours, "angle", experiment="similarity", predictor="mean feature")
    top = r.value(ours, "top_percent", k=10, **_cosine("voice", 6))
    grade = _graded(abs(100 * top - RETRIEVAL[6, "cosine"][10]) < 5, top > 0.2)
    return Judged(f"{value:.1f}° (mean feature {mean:.1f}°); {_percent(top)}", grade, LATER)


def strangers(r: Records) -> Judged:
    half = {"corpus": "published, half to report"}

    def share(**of: Any) -> float:
        return r.value(VOICES, "sex_right", **half, **of)

    own = {"encoder": "voice-encoder-strangers", **half}
    row, pitch = r.row(VOICES, "sex_right", **own), share(baseline="threshold on pitch")
    constant = share(baseline="constant")
    ours = (
        f"label as on the photograph in {_share(row)} of {row['n']} recordings; best "
        f"threshold on pitch {_percent(pitch)}; the encoder of the other rows "
        f"{_percent(share(encoder='voice-encoder-synthetic'))}, the variant that reads a feature learned from real "
        f"speakers {_percent(share(encoder='speaker-feature-synthetic'))}; age r {r.value(VOICES, 'age_r', **own):.2f}"
    )
    authors = _percent(share(baseline="the authors' pictures"))
    null = f"always the commoner label {_percent(constant)}"
    return Judged(ours, _graded(row["low"] > pitch, row["low"] > constant), null, oracle=f"{authors}, the authors'")
