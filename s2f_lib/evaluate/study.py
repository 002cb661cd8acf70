"""The paper's evaluation on synthetic people: a table for each question, and all numbers as rows of the record.

Pages and the record call the same functions, so they cannot disagree about how a number was made. In the rows of
``results/evaluation_synthetic.json`` ``experiment`` says of which table a row is; ``predictor`` who answers: the voice
(with the ``seconds`` it spoke), or one of the baselines.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from s2f_lib import metrics
from s2f_lib.audio import degrade
from s2f_lib.config import SEEDS
from s2f_lib.evaluate import appearance, baselines, dataset
from s2f_lib.evaluate.dataset import EvaluationData
from s2f_lib.io import row

KINDS = ("reference", "F2F", "S2F")
Rows = Iterator[dict[str, Any]]
VOICE = {"predictor": "voice", "seconds": 6}
NAMES = {"voice": VOICE, "voice, 6 s": VOICE, "voice, 3 s": {"predictor": "voice", "seconds": 3}}
RANKED = ("voice", "voice, 3 s", "sex alone", "sex and decade", "demographics", "null encoder", "oracle")


@dataclass(frozen=True)
class Evaluation:
    """One evaluation: the material, the frozen decoder and the frozen attribute classifier.

    Faces, labels and measures are worked out when they are first asked for.
    """

    material: EvaluationData
    recogniser: object
    decoder: object
    classifier: object
    population: object  # the test people, for true canonical faces
    workers: int = 2

    def __len__(self) -> int:
        return len(self.material)

    @cached_property
    def predictions(self) -> dict[str, np.ndarray]:
        """v_s after six and after three seconds, and what stands in for it, by name; each (N, D)."""
        m = self.material
        models = {
            "sex alone": baselines.DemographicsOnly(("sex",)),
            "sex and decade": baselines.DemographicsOnly(("sex", "decade")),
            "demographics": baselines.DemographicsOnly(),
            "oracle": baselines.Oracle(),
        }
        return {
            "voice": m.v_s,
            "voice, 3 s": m.v_s_short,
            "mean feature": metrics.similarity.mean_feature(m.train_v_f, len(m)),
            "random pair": m.v_f[metrics.similarity.mismatched(len(m))],
            "null encoder": m.v_s[metrics.similarity.mismatched(len(m))],  # the encoder's answers, to other people
            **{name: model.fit(m.train_people, m.train_v_f).predict(m.people) for name, model in models.items()},
            "another picture": m.v_f_other,
        }

    def answered_by(self, predictor: str) -> "Evaluation":
        """The same people, with a prediction in the place of the voice's: its faces are the S2F faces."""
        other = replace(self, material=replace(self.material, v_s=self.predictions[predictor]))
        drawn = dataset.decode(self.decoder, other.material.v_s)
        vars(other)["faces"] = self.faces | {"S2F": drawn}  # what the cached property would have made again
        return other

    @cached_property
    def groups(self) -> dict[str, np.ndarray]:
        """Labels of the test people, alone and together, as texts (N,)."""
        people = self.material.people
        found = {name: people[name].to_numpy(str) for name in ("sex", "group", "language")}
        found["decade"] = metrics.labels.decade(people["age"].to_numpy(float)).astype(str)
        found["sex and decade"] = np.char.add(found["sex"], found["decade"])
        return found | {"sex, decade and group": np.char.add(found["sex and decade"], found["group"])}

    @cached_property
    def faces(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Canonical faces uint8 (N, S, S, 3) and landmarks (N, 68, 2): reference (true), F2F and S2F."""
        f2f = dataset.decode(self.decoder, self.material.v_f)
        s2f = dataset.decode(self.decoder, self.material.v_s)
        reference = dataset.canonical_faces(self.population, f2f[0].shape[1], self.workers)
        return {"reference": reference, "F2F": f2f, "S2F": s2f}

    @cached_property
    def redrawn(self) -> dict[str, np.ndarray]:
        """Features that the recogniser takes from the F2F and S2F *pictures*, each (N, D)."""
        from s2f_lib import faces

        return {name: faces.extract(self.recogniser, self.faces[name][0])[0] for name in ("F2F", "S2F")}

    @cached_property
    def labels(self) -> dict[str, pd.DataFrame]:
        """What the classifier says about reference, F2F and S2F faces."""
        return {name: appearance.read(self.classifier, pictures) for name, (pictures, _) in self.faces.items()}

    @cached_property
    def measures(self) -> dict[str, dict[str, np.ndarray]]:
        """The craniofacial measures of reference, F2F and S2F faces."""
        from s2f_lib.metrics.face_measures import craniofacial as measure

        return {name: measure(points) for name, (_, points) in self.faces.items()}


def similarity_table(evaluation: Evaluation) -> pd.DataFrame:
    """Table 2 of the paper with the baselines: angle, L2, L1 for 6 s, 3 s, and every stand-in."""
    named = {"voice": "voice, 6 s"}
    rows = {named.get(name, name): predicted for name, predicted in evaluation.predictions.items()}
    return metrics.similarity.table(rows, evaluation.material.v_f)


def retrieval_ranks(
    evaluation: Evaluation, predictor: str = "voice", metric: str = "cosine", **options
) -> metrics.retrieval.Ranks:
    """Ranks of a predictor in the gallery of true features."""
    return metrics.retrieval.rank(evaluation.predictions[predictor], evaluation.material.v_f, metric=metric, **options)


def retrieval_table(evaluation: Evaluation) -> pd.DataFrame:
    """Table 3 of the paper with baselines: shares in the first 1, 2, 5, 10 % of N, R@5 of N, median rank, matching."""
    others = ("voice, 3 s", "sex alone", "sex and decade", "demographics", "oracle", "mean feature", "another picture")
    rows = {}
    for name, metric in (*(("voice", metric) for metric in ("cosine", "l2", "l1")), *((o, "cosine") for o in others)):
        numbers = metrics.retrieval.summary(retrieval_ranks(evaluation, name, metric))
        label = {"voice": "voice, 6 s"}.get(name, name)
        rows[f"{label} ({metric})"] = {key: row["value"] for key, row in numbers.items()}
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.loc["chance"] = {key: row["chance"] for key, row in numbers.items()}
    return table.assign(n=len(evaluation.material))


def within_table(evaluation: Evaluation) -> pd.DataFrame:
    """Retrieval among people who share something: what is left when sex, group, decade, language are no help."""
    rows = {}
    for shared in (None, "sex", "sex and decade", "sex, decade and group"):
        gallery = f"same {shared}" if shared else "everybody"
        for name in ("voice", "sex and decade", "demographics", "oracle"):
            ranks = retrieval_ranks(evaluation, name, groups=evaluation.groups.get(shared))
            kept = ranks.where(ranks.size >= 5)
            if len(kept) < 2:  # too few people for galleries of this kind
                continue
            numbers = metrics.retrieval.summary(kept)
            match, top = numbers["match_1_2"], numbers["top10_percent"]
            found = {"match_1_2": match["value"], "low": match["low"], "high": match["high"]}
            found |= {"top10_percent": top["value"], "chance_top10": top["chance"]}
            rows[gallery, name] = found | {"faces": float(kept.size.mean()), "n": len(kept)}
    return pd.DataFrame.from_dict(rows, orient="index")


def gallery_table(evaluation: Evaluation) -> pd.DataFrame:
    """Other galleries and other queries: features of F2F pictures, and features taken from the S2F picture itself."""
    m, drawn = evaluation.material, evaluation.redrawn
    rows = {}
    for name, queries, gallery in (
        ("v_s among v_f", m.v_s, m.v_f),
        ("v_s among other pictures of the people", m.v_s, m.v_f_other),
        ("v_s among F2F pictures", m.v_s, drawn["F2F"]),
        ("S2F pictures among v_f", drawn["S2F"], m.v_f),
        ("S2F pictures among F2F pictures", drawn["S2F"], drawn["F2F"]),
        ("F2F pictures among v_f", drawn["F2F"], m.v_f),
    ):
        numbers = metrics.retrieval.summary(metrics.retrieval.rank(queries, gallery))
        rows[name] = {key: row["value"] for key, row in numbers.items()}
    return pd.DataFrame.from_dict(rows, orient="index")


def attribute_table(evaluation: Evaluation) -> pd.DataFrame:
    """Agreement of sex, group, decade on true faces, F2F, S2F, and F2F against S2F, beside the constant guess."""
    said = {"assigned": evaluation.material.people} | evaluation.labels
    rows = {}
    for what in ("sex", "group", "decade"):
        read = {
            who: metrics.labels.decade(table["age"].to_numpy(float)) if what == "decade" else table[what].to_numpy()
            for who, table in said.items()
        }
        for a, b in (*(("assigned", kind) for kind in KINDS), ("F2F", "S2F")):
            near = (np.abs(read[a] - read[b]) <= 10).mean() if what == "decade" else np.nan
            rows[what, f"{a} x {b}"] = metrics.labels.summary(read[a], read[b]) | {"within_one": float(near)}
    return pd.DataFrame.from_dict(rows, orient="index")


def error_by_group(evaluation: Evaluation) -> dict[str, pd.DataFrame]:
    """Angle to the true feature and share of right sex labels on S2F faces, by sex, decade, group and language."""
    m = evaluation.material
    angle = metrics.similarity.angle_deg(m.v_s, m.v_f)
    right = (evaluation.labels["S2F"]["sex"].to_numpy() == m.people["sex"].to_numpy()).astype(float)
    return metrics.labels.errors(m.people, angle, right, retrieval_ranks(evaluation).hit_percent(10))


def craniofacial_tables(evaluation: Evaluation) -> dict[str, pd.DataFrame]:
    """S2F measures against F2F (the paper's question), S2F against truth, F2F against truth (the decoder's ceiling)."""
    pairs = {"S2F x F2F": ("S2F", "F2F"), "S2F x truth": ("S2F", "reference"), "F2F x truth": ("F2F", "reference")}
    people, x = evaluation.material.people, evaluation.measures
    return {name: metrics.craniofacial.correlations(x[a], x[b], people) for name, (a, b) in pairs.items()}


def purity_table(evaluation: Evaluation, untrained: np.ndarray | None = None, times: int = 200) -> pd.DataFrame:
    """Neighbour purity of v_f, v_s and, when given, features of an untrained encoder, against shuffled labels."""
    m = evaluation.material
    spaces = {"v_f": m.v_f, "v_s": m.v_s} | ({} if untrained is None else {"untrained": untrained})
    rows = {
        (space, name): metrics.embedding.purity_test(x, evaluation.groups[name], times=times)
        for space, x in spaces.items()
        for name in ("sex", "group", "language", "decade")
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def consistency(v_s: np.ndarray, v_s_other: np.ndarray) -> dict[str, metrics.inference.Interval]:
    """Angle between v_s of two clips of one person (other sentences, other room), and of two people; both (N, D)."""
    same = metrics.similarity.angle_deg(v_s, v_s_other)
    other = metrics.similarity.angle_deg(v_s, v_s_other[metrics.similarity.mismatched(len(v_s))])
    return {"same person": metrics.inference.mean_interval(same), "two people": metrics.inference.mean_interval(other)}


def degradation_table(evaluation: Evaluation, encoder, n: int = 150) -> pd.DataFrame:
    """Angle, top-10 % and distance from the average prediction for the first ``n`` test people under each change."""
    changes = (None, *degrade.standard_set())
    m, n = evaluation.material, min(n, len(evaluation))
    some = evaluation.population[:n]
    heard = dataset.voice_features(encoder, some, changes=changes, workers=evaluation.workers)
    average = m.v_s.mean(axis=0, keepdims=True).repeat(n, axis=0)
    rows = {}
    for i, change in enumerate(changes):
        v_s = heard[:, i]
        rows["as recorded" if change is None else change.name] = {
            "angle_deg": metrics.similarity.angle_deg(v_s, m.v_f[:n]).mean(),
            "top10_percent": metrics.retrieval.rank(v_s, m.v_f, truth=np.arange(n)).top_percent(10),
            "angle_from_average": metrics.similarity.angle_deg(v_s, average).mean(),
            "angle_from_unchanged": metrics.similarity.angle_deg(v_s, heard[:, 0]).mean(),
            "n": n,
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def duration_table(evaluation: Evaluation, encoder, n: int = 100, seconds=(1.0, 2.0, 3.0, 6.0, 12.0)) -> pd.DataFrame:
    """Figure 6 of the paper: angle and top-10 % of the first ``n`` test people when only so much speech is heard.

    Up to six seconds are repeated to six, as in the paper; longer speech is heard at its own length. Rows: seconds.
    """
    m, n = evaluation.material, min(n, len(evaluation))
    longest = dataset.voice_features(
        encoder,
        evaluation.population[:n],
        changes=[degrade.truncate(s) for s in seconds],
        workers=evaluation.workers,
        seconds=float(max(seconds)),
    )
    rows = {}
    for i, length in enumerate(seconds):
        angle = metrics.inference.mean_interval(metrics.similarity.angle_deg(longest[:, i], m.v_f[:n]))
        ranks = metrics.retrieval.rank(longest[:, i], m.v_f, truth=np.arange(n))
        hit = metrics.inference.mean_interval(ranks.hit_percent(10))
        rows[length] = {"angle_deg": angle.estimate, "angle_low": angle.low, "angle_high": angle.high}
        rows[length] |= {"top10_percent": hit.estimate, "top10_low": hit.low, "top10_high": hit.high, "n": n}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("seconds")


def evidence(evaluation: Evaluation, within: str | None = None) -> dict[str, float]:
    """AUC, equal error rate and Cllr of the cosine as evidence that voice and face belong together.

    The calibration is fitted on even rows and used on odd ones; ``within`` ("sex") compares inside that group only.
    """
    m = evaluation.material
    groups = evaluation.groups.get(within)
    half = [slice(0, None, 2), slice(1, None, 2)]
    parts = [metrics.verification.pair_scores(m.v_s[h], m.v_f[h], None if groups is None else groups[h]) for h in half]
    fitted = metrics.verification.calibrate(parts[0][0], parts[0][1])
    same, different = parts[1]
    return {
        "auc": metrics.verification.auc(same, different),
        "equal_error_rate": metrics.verification.equal_error_rate(same, different),
        "cllr": metrics.verification.cllr(fitted(same), fitted(different)),
        "median_likelihood_ratio": float(np.exp(np.median(fitted(same)))),
    }


def rows(evaluation: Evaluation, encoder, untrained: tuple | None = None, degraded: int = 150) -> list[dict]:
    """Every row of the record.

    ``untrained`` holds what an untrained encoder gives for the two clips of everybody, each (N, D); ``degraded`` people
    get degraded clips.
    """
    return [
        *similarity_rows(evaluation),
        *retrieval_rows(evaluation),
        *label_rows(evaluation),
        *craniofacial_rows(evaluation),
        *answer_rows(evaluation),
        *map_rows(evaluation, None if untrained is None else untrained[0]),
        *consistency_rows(evaluation.material.v_s, evaluation.material.v_s_other, evaluation),
        *(() if untrained is None else consistency_rows(*untrained, evaluation, predictor="untrained")),
        *corruption_rows(evaluation, encoder, degraded),
        *(
            row(name, value, experiment="evidence", within=within)
            for within in (None, "sex")
            for name, value in evidence(evaluation, within).items()
        ),
    ]


def similarity_rows(evaluation: Evaluation) -> Rows:
    """Angles of the voice and the baselines, and how much nearer six seconds are."""
    of = {"experiment": "similarity"}
    for name, found in similarity_table(evaluation).iterrows():
        ends = {"low": found["low"], "high": found["high"]}
        yield row("angle", found["angle_deg"], **of, **NAMES.get(name, {"predictor": name})) | ends
    v_f, found = evaluation.material.v_f, evaluation.predictions
    short = {"null encoder, 3 s": found["voice, 3 s"][metrics.similarity.mismatched(len(evaluation))]}
    angles = {name: metrics.similarity.angle_deg(guess, v_f) for name, guess in (found | short).items()}
    pairs = (("voice", "voice, 3 s"), ("voice", "sex alone"), ("null encoder", "null encoder, 3 s"))
    for name, against in pairs:
        gain = metrics.inference.mean_interval(angles[against] - angles[name])
        yield row("angle_gain", gain, **of, **NAMES.get(name, {"predictor": name}), against=against)


def retrieval_rows(evaluation: Evaluation) -> Rows:
    """Retrieval by every predictor, among everybody and among people who share something; other distances; gains."""
    of = {"experiment": "retrieval", "metric": "cosine"}
    for within in (None, "sex", "sex and decade", "sex, decade and group"):
        for name in RANKED:
            ranks = retrieval_ranks(evaluation, name, groups=evaluation.groups.get(within))
            ranks = ranks.where(ranks.size >= 5)  # a lineup needs a few faces
            if len(ranks) > 1:
                yield from metrics.retrieval.rows(ranks, **of, **NAMES.get(name, {"predictor": name}), within=within)
        if len(ranks) > 1:
            yield from metrics.retrieval.chance_rows(ranks, **of, predictor="chance", within=within)
    for metric in ("l2", "l1"):
        ranks = retrieval_ranks(evaluation, metric=metric)
        yield from metrics.retrieval.rows(ranks, experiment="retrieval", metric=metric, **VOICE)
    for name, found in gallery_table(evaluation).iterrows():
        queries, gallery = name.split(" among ")
        where = {"experiment": "gallery", "queries": queries, "gallery": gallery}
        yield row("top_percent", found["top10_percent"], **where, k=10)
        yield row("recall_at", found["recall_at_5"], **where, k=5)
        yield row("match", found["match_1_2"], **where, k=2)
    own = retrieval_ranks(evaluation).hit_percent(10)
    for name in ("demographics", "sex and decade", "sex alone", "voice, 3 s"):
        gain = metrics.inference.mean_interval(own - retrieval_ranks(evaluation, name).hit_percent(10))
        yield row("top_percent_gain", gain, **of, **VOICE, against=name, k=10)


def label_rows(evaluation: Evaluation) -> Rows:
    """Agreement of labels, and the angle and right sex labels by group."""
    for (label, pair), found in attribute_table(evaluation).iterrows():
        of = {"experiment": "labels", "label": label, "pair": pair}
        yield row("agreement", found["agreement"], **of) | {"low": found["low"], "high": found["high"]}
        yield row("balanced_accuracy", found["balanced"], **of)
        yield row("agreement_constant", found["constant"], **of)
        if np.isfinite(found["within_one"]):
            yield row("within_one_decade", found["within_one"], **of)
    for by, table in error_by_group(evaluation).items():
        yield from metrics.labels.group_rows(table, by)


def craniofacial_rows(evaluation: Evaluation) -> Rows:
    """Correlations of face measures, their medians, and how many are significant."""
    for pair, table in craniofacial_tables(evaluation).items():
        of = {"experiment": "craniofacial", "pair": pair}
        for measure, found in table.iterrows():
            for how in ("pooled", "female", "male", "adjusted"):
                if np.isfinite(found[how]):
                    yield row("r", found[how], **of, face_measure=measure, how=how)
        for how in ("pooled", "adjusted"):
            yield row("median_r", metrics.craniofacial.median_r(table, how, metrics.face_measures.EXTRA), **of, how=how)
            yield row("significant", int((table[f"holm_{how}"] < 0.05).sum()), **of, how=how)
        yield row("largest_random_r", float(table["random"].abs().max()), **of)


def answer_rows(evaluation: Evaluation) -> Rows:
    """Labels and face measures again, of the faces that the null encoder and the oracle would have drawn."""
    for predictor in ("null encoder", "oracle"):
        other = evaluation.answered_by(predictor)
        for found in (*label_rows(other), *craniofacial_rows(other)):
            if "S2F" in found.get("pair", ""):
                yield found | {"pair": found["pair"].replace("S2F", predictor)}


def map_rows(evaluation: Evaluation, untrained: np.ndarray | None) -> Rows:
    """Do neighbours share labels? Of v_f, v_s and an untrained encoder, against shuffled labels."""
    for (space, label), found in purity_table(evaluation, untrained).iterrows():
        of = {"experiment": "map", "space": space, "label": label}
        yield row("purity", found["value"], **of)
        yield row("purity_shuffled", found["chance"], **of)
        yield row("p", found["p"], **of)


def consistency_rows(v_s: np.ndarray, v_s_other: np.ndarray, evaluation: Evaluation, **of) -> Rows:
    """Angles between the predictions (N, D) for two clips: of one person, of two, of two of one sex and decade."""
    of |= {"experiment": "consistency"}
    for pair, value in consistency(v_s, v_s_other).items():
        yield row("clip_angle", value, **of, pair=pair)
    cell = evaluation.groups["sex and decade"]
    order = np.lexsort((np.arange(len(cell)), cell))
    other = np.empty(len(cell), int)  # the next person of the same cell, the first after the last
    for members in np.split(order, np.flatnonzero(cell[order][1:] != cell[order][:-1]) + 1):
        other[members] = np.roll(members, -1)
    some = other != np.arange(len(cell))  # somebody alone in a cell has nobody to be compared with
    angle = metrics.inference.mean_interval(metrics.similarity.angle_deg(v_s[some], v_s_other[other[some]]))
    yield row("clip_angle", angle, **of, pair="two people", within="sex and decade") | {"n": int(some.sum())}


def corruption_rows(evaluation: Evaluation, encoder, degraded: int) -> Rows:
    """Angle, retrieval and distance from the average prediction under each corruption."""
    for name, found in degradation_table(evaluation, encoder, degraded).iterrows():
        of = {"experiment": "corruptions", "corruption": name, "n": int(found["n"])}
        yield row("top_percent", found["top10_percent"], **of, k=10)
        yield row("angle", found["angle_deg"], **of)
        yield row("angle_from_average", found["angle_from_average"], **of)


def evaluation(
    recogniser,
    encoder,
    decoder,
    classifier,
    n: int = 1000,
    world: str = "physiology",
    seed: int = SEEDS["test"],
    **options,
) -> Evaluation:
    """Gather the material for ``n`` test people of a world and wrap it with the frozen networks."""
    from s2f_lib import people

    m = dataset.prepare(recogniser, encoder, n, seed=seed, world=world, **options)
    return Evaluation(m, recogniser, decoder, classifier, people.sample(n, world, seed), options.get("workers", 2))
