"""How each claim of the paper is judged: a function of the records that gives our numbers, and what they are worth.

Beside our numbers stand those of a *null*, an encoder or an answer that knows nothing about the face, and those of the
*oracle*. A rule that the null passes as well as we do decides nothing: its verdict is "void". What each rule says in
words stands in `s2f_lib.report.claims`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from s2f_lib.io import Record
from s2f_lib.published.paper import RETRIEVAL

VERDICTS = ("holds", "partly", "no", "void", "not tested")
LATER = "not measured yet"
EVALUATION, ETHICS, ABLATION, PICTURES = "evaluation_synthetic", "ethics", "loss_ablation", "published_avspeech"
VOICES = "voices"


class NotRun(LookupError):
    """A record, or a number in it, does not exist yet."""


@dataclass(frozen=True)
class Records:
    """Numbers by record, measure and condition."""

    read: Callable[[str], Record | None]

    def row(self, record: str, measure: str, **conditions: Any) -> dict[str, Any]:
        """The one row under these conditions; NotRun where there is none."""
        found = self.read(record)
        if found is None or not found.matching(measure=measure, **conditions):
            raise NotRun(f"results/{record}.json: {measure} {conditions}")
        return found.row(measure, **conditions)

    def value(self, record: str, measure: str, **conditions: Any) -> float:
        """Its number."""
        return self.row(record, measure, **conditions)["value"]

    def interval(self, record: str, measure: str, **conditions: Any) -> tuple[float, float]:
        """Its interval; the number itself twice where none was recorded."""
        row = self.row(record, measure, **conditions)
        return row.get("low", row["value"]), row.get("high", row["value"])

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


def _span(interval: tuple[float, float], scale: float = 1.0, digits: int = 1) -> str:
    return f"[{scale * interval[0]:.{digits}f}, {scale * interval[1]:.{digits}f}]"


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
    value, interval = r.value(EVALUATION, "angle", **ours), r.interval(EVALUATION, "angle", **ours)
    gain = r.interval(EVALUATION, "angle_gain", against="sex alone", **ours)
    text = (
        f"{value:.1f}° {_span(interval)}; mean feature {at('mean feature'):.1f}°, sex alone {at('sex alone'):.1f}°, "
        f"sex and decade {at('sex and decade'):.1f}°; demographics, with a group that no voice tells, "
        f"{at('demographics'):.1f}°"
    )
    null = _or_later(lambda: f"{at('null encoder'):.1f}°")
    return Judged(text, _graded(gain[0] > 0, interval[1] < at("mean feature")), null, oracle=f"{at('oracle'):.1f}°")


def longer(r: Records) -> Judged:
    against = {"predictor": "voice", "against": "voice, 3 s"}
    gain, interval = r.value(EVALUATION, "angle_gain", **against), r.interval(EVALUATION, "angle_gain", **against)
    top6, top3 = (r.value(EVALUATION, "top_percent", k=10, **_cosine("voice", seconds)) for seconds in (6, 3))
    more = r.interval(EVALUATION, "top_percent_gain", k=10, **against)
    ours = (
        f"{gain:.2f}° {_span(interval, digits=2)} nearer than with 3 s; top 10 %: {_percent(top3)} → {_percent(top6)}, "
        f"difference {_span(more, 100)} points"
    )
    return Judged(ours, _graded(interval[0] > 0 and more[0] > 0, interval[0] > 0), LATER)


def _cosine(predictor: str, seconds: int | None = None, within: str | None = None) -> dict:
    """Conditions of the retrieval among everybody, or among people who share something."""
    found = {"experiment": "retrieval", "metric": "cosine", "predictor": predictor, "within": within}
    return found | ({"seconds": seconds} if seconds else {})


def retrieval(r: Records) -> Judged:
    ours = {"k": 10, **_cosine("voice", 6)}
    value, interval = r.value(EVALUATION, "top_percent", **ours), r.interval(EVALUATION, "top_percent", **ours)
    names = ("chance", "sex alone", "oracle", "demographics")
    chance, sex_alone, best, told = (r.value(EVALUATION, "top_percent", k=10, **_cosine(name)) for name in names)
    less = _or_later(
        lambda: f"{-100 * r.value(ETHICS, 'top_percent_gain', predictor='voice', against='sex and decade'):.1f} points"
    )
    gain = r.interval(EVALUATION, "top_percent_gain", k=10, predictor="voice", against="sex alone")
    text = (
        f"{_percent(value)} {_span(interval, 100)} of N = {r.n(EVALUATION):,}; chance {_percent(chance)}, sex alone "
        f"{_percent(sex_alone)}; sex and decade would find {less} more; demographics {_percent(told)}"
    )
    null = _or_later(lambda: _percent(r.value("voice_encoder", "top_percent", predictor="null encoder", k=10)))
    return Judged(text, _graded(gain[0] > 0, interval[0] > chance), null, oracle=_percent(best))


def alike(r: Records) -> Judged:
    """Conditional on sex and decade: the gain over chance, as a share of the oracle's."""
    within = "sex and decade"
    voice = r.row(EVALUATION, "match", k=2, **_cosine("voice", 6, within))
    oracle = r.row(EVALUATION, "match", k=2, **_cosine("oracle", within=within))
    share = (voice["value"] - 0.5) / (oracle["value"] - 0.5)
    interval = (voice["low"], voice["high"])
    text = f"1:2 {_percent(voice['value'])} {_span(interval, 100)}, chance 50 %; {_percent(share)} of the oracle's gain"
    null = _or_later(lambda: _percent(r.value(EVALUATION, "match", k=2, **_cosine("null encoder", within=within))))
    grade = _graded(interval[0] > 0.5 and share > 0.5, interval[0] > 0.5)
    return Judged(text, grade, null, oracle=_percent(oracle["value"]))


def rank(r: Records) -> Judged:
    ranks = {"experiment": "printed ranks", "gallery": 5000}
    first, top = r.value(PICTURES, "recall_at", k=1, **ranks), r.value(PICTURES, "top_percent", k=1, **ranks)
    ours = (
        f"of the authors' 100 printed queries {100 * first:.0f} are first and {100 * top:.0f} in the top 1 % of 5,000; "
        f"median rank {r.value(PICTURES, 'median_rank', **ranks):.0f}"
    )
    return Judged(ours, _graded(first > 0.05, False))


def sex(r: Records) -> Judged:
    of = {pair: {"label": "sex", "pair": f"assigned x {pair}"} for pair in ("S2F", "F2F")}
    value, interval = r.value(EVALUATION, "agreement", **of["S2F"]), r.interval(EVALUATION, "agreement", **of["S2F"])
    f2f, constant = (
        r.value(EVALUATION, "agreement", **of["F2F"]),
        r.value(EVALUATION, "agreement_constant", **of["S2F"]),
    )
    text = f"{_percent(value)} {_span(interval, 100)}; F2F {_percent(f2f)}, constant guess {_percent(constant)}"
    null, null_grade, oracle = LATER, "no", LATER
    try:  # the ridge baseline that learned where voices know no face
        low = r.interval(ETHICS, "sex_right", experiment="worlds", world="null", predictor="ridge baseline")[0]
        value = r.value(ETHICS, "sex_right", experiment="worlds", world="null", predictor="ridge baseline")
        best = r.value(ETHICS, "sex_right", experiment="worlds", world="physiology", predictor="oracle")
        null, null_grade, oracle = _percent(value), _graded(low > 0.85, low > constant), _percent(best)
    except NotRun:
        pass  # stays as it is said above
    return Judged(text, _graded(interval[0] > 0.85, interval[0] > constant), null, null_grade, oracle)


def age(r: Records) -> Judged:
    of = {"label": "decade", "pair": "assigned x S2F"}
    value, interval = r.value(EVALUATION, "agreement", **of), r.interval(EVALUATION, "agreement", **of)
    constant, near = r.value(EVALUATION, "agreement_constant", **of), r.value(EVALUATION, "within_one_decade", **of)
    f2f = r.value(EVALUATION, "agreement", label="decade", pair="assigned x F2F")
    ours = (
        f"same decade {_percent(value)} {_span(interval, 100)}, within one {_percent(near)}; F2F {_percent(f2f)}, "
        f"constant guess {_percent(constant)}"
    )
    balanced = r.value(EVALUATION, "balanced_accuracy", **of)
    return Judged(ours, _graded(interval[0] > constant, balanced > 1.2 / 8), LATER, oracle=LATER)


def group(r: Records) -> Judged:
    of = {"label": "group", "pair": "assigned x S2F"}
    value, interval = r.value(EVALUATION, "agreement", **of), r.interval(EVALUATION, "agreement", **of)
    constant = r.value(EVALUATION, "agreement_constant", **of)
    f2f = r.value(EVALUATION, "agreement", label="group", pair="assigned x F2F")

    def skin(world: str, predictor: str = "ridge baseline") -> dict:
        return r.row(ETHICS, "r", experiment="worlds", attribute="skin", world=world, predictor=predictor)

    plain, mixed, null = skin("physiology"), skin("confounded"), skin("null")
    ours = (
        f"invented group {_percent(value)} {_span(interval, 100)}; F2F {_percent(f2f)}, constant guess "
        f"{_percent(constant)}. Skin drawn by the ridge baseline: r {plain['value']:.2f} "
        f"{_span((plain['low'], plain['high']), digits=2)} where language tells nothing, {mixed['value']:.2f} "
        f"{_span((mixed['low'], mixed['high']), digits=2)} where it follows the group"
    )
    best = [skin(world, "oracle")["value"] for world in ("physiology", "confounded")]
    grade = _graded(interval[0] > constant and plain["low"] > 0.1, mixed["low"] > 0.1)
    null_grade = _graded(False, null["low"] > 0.1)
    return Judged(ours, grade, f"r {null['value']:.2f}", null_grade, f"r {best[0]:.2f} and {best[1]:.2f}")


def _shape(r: Records, pair: str, how: str) -> tuple[int, float]:
    """Significant correlations of 13, and the median."""
    of = {"experiment": "craniofacial", "pair": pair, "how": how}
    return int(r.value(EVALUATION, "significant", **of)), r.value(EVALUATION, "median_r", **of)


def craniofacial(r: Records) -> Judged:
    (found, median), (best, ceiling) = _shape(r, "S2F x F2F", "pooled"), _shape(r, "F2F x truth", "pooled")
    oracle = f"{LATER}; F2F with truth: {best} of 13, median r {ceiling:.2f}"
    text = f"{found} of 13 significant (Holm), median r {median:.2f}"
    return Judged(text, _graded(found >= 11, found >= 4), LATER, oracle=oracle)


def individual(r: Records) -> Judged:
    (found, median), (best, ceiling) = _shape(r, "S2F x truth", "adjusted"), _shape(r, "F2F x truth", "adjusted")
    ours = f"{found} of 13 significant (Holm), median r {median:.2f}, against the true face, sex and age taken out"
    oracle = f"{LATER}; F2F with truth: {best} of 13, median r {ceiling:.2f}"
    return Judged(ours, _graded(found >= 7, found >= 1), LATER, oracle=oracle)


def individual_published(r: Records) -> Judged:
    of = {"experiment": "craniofacial", "reference": "f2f", "picture": "s2f_07"}
    found = int(r.value(PICTURES, "significant", how="adjusted", **of))
    median, before = (r.value(PICTURES, "median_r", how=how, **of) for how in ("adjusted", "pooled"))
    ours = f"{found} of 13 significant (Holm), median r {median:.2f} ({before:.2f} before), S2F with F2F"
    return Judged(ours, _graded(found >= 7, found >= 1), LATER)


def consistent(r: Records) -> Judged:
    def of(pair: str, within: str | None = None) -> dict:
        return r.row(EVALUATION, "clip_angle", pair=pair, within=within, predictor=None)

    same, other = of("same person"), of("two people")
    alike = _or_later(lambda: f"{of('two people', 'sex and decade')['value']:.1f}°")
    ours = (
        f"{same['value']:.1f}° between clips of one person, {other['value']:.1f}° between people; between people of "
        f"one sex and decade: {alike}"
    )
    ends = same.get("high", same["value"]), other.get("low", other["value"])
    return Judged(ours, _graded(ends[0] < 0.7 * ends[1], ends[0] < ends[1]), LATER)


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


def _mean_face(r: Records) -> float:
    """Angle of the mean feature on the people of the ablation's main runs."""
    return r.value(ABLATION, "angle", experiment="start", people="test", aim="v_f")


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
        f"the ridge baseline: skin lightness moves {ours['value']:.2f} {_span((ours['low'], ours['high']), digits=2)} "
        "of the way between two groups when only the language changes (confounded world)"
    )
    grade, null_grade = (_graded(row["low"] > 0.1, row["low"] > 0) for row in (ours, null))
    oracle = f"{effect('confounded', 'oracle')['value']:.2f}"
    return Judged(text, grade, f"{null['value']:.2f} in physiology", null_grade, oracle)


def identity(r: Records) -> Judged:
    def grade(first: float, high: float) -> str:
        return _graded(first < 0.01 and high < 0.75, first < 0.05)

    first, n = r.value(EVALUATION, "recall_at", k=1, **_cosine("voice", 6)), r.n(EVALUATION)
    of = {"experiment": "identity", "predictor": "voice"}
    match, interval = r.value(ETHICS, "match", **of), r.interval(ETHICS, "match", **of)
    text = (
        f"first of {n:,}: {_percent(first)}; 1:2 among people of the same sex, decade and group: {_percent(match)} "
        f"{_span(interval, 100)}, chance 50 %"
    )
    chance = r.value(EVALUATION, "recall_at", k=1, **_cosine("chance"))
    null = f"random order: {_percent(chance)} and 50 %"
    return Judged(text, grade(first, interval[1]), null, grade(chance, 0.5), LATER)


def again(r: Records) -> Judged:
    of = {"label": "gender", "reference": "true", "picture": "s2f_07"}
    value, interval = r.value(PICTURES, "agreement", **of), r.interval(PICTURES, "agreement", **of)
    near = int(r.value(PICTURES, "within_tolerance"))
    constant = r.value(PICTURES, "agreement_constant", label="gender", source="paper")
    ours = (
        f"photograph and S2F picture have the same gender label in {_percent(value)} {_span(interval, 100)} of 900; "
        f"{near} of 12 craniofacial r within 0.10 of the paper's"
    )
    grade = _graded(abs(value - 0.94) < 0.04 and near >= 10, abs(value - 0.94) < 0.08)
    return Judged(ours, grade, f"constant guess {_percent(constant)}", _graded(False, abs(constant - 0.94) < 0.08))


def hacker_news(r: Records) -> Judged:
    """What a voice tells through anatomy (tract, lower face, jaw), and what through a shared way of speaking."""

    def body(attribute: str, world: str) -> dict:
        return r.row(ETHICS, "r", experiment="body", attribute=attribute, world=world)

    def found(world: str, styled: str) -> tuple[str, str]:
        face, jaw = body("lower face", world), body("jaw score", world)
        style = r.row(ETHICS, "auc", experiment="style", world=styled)
        names = (("lower face r", face), ("jaw r", jaw), ("glasses AUC", style))
        text = ", ".join(
            f"{name} {row['value']:.2f} {_span((row['low'], row['high']), digits=2)}" for name, row in names
        )
        above = [face["low"] > 0, jaw["low"] > 0, style["low"] > 0.5]
        return text, _graded(all(above), any(above))

    (ours, grade), (null, null_grade) = found("physiology", "style"), found("null", "physiology")
    tract = body("tract length", "physiology")["value"]
    text = f"read by the ridge baseline, sex and age taken out: the tract itself r {tract:.2f}; {ours}"
    return Judged(text, grade, null, null_grade, LATER)


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
    interval, constant = (row["low"], row["high"]), share(baseline="constant")
    ours = (
        f"label as on the photograph in {_percent(row['value'])} {_span(interval, 100)} of {row['n']} recordings; best "
        f"threshold on pitch {_percent(pitch)}; the encoder of the other rows "
        f"{_percent(share(encoder='voice-encoder-synthetic'))}, the variant that reads a feature learned from real "
        f"speakers {_percent(share(encoder='speaker-feature-synthetic'))}; age r {r.value(VOICES, 'age_r', **own):.2f}"
    )
    authors = _percent(share(baseline="the authors' pictures"))
    null = f"always the commoner label {_percent(constant)}"
    return Judged(ours, _graded(interval[0] > pitch, interval[0] > constant), null, oracle=f"{authors}, the authors'")
