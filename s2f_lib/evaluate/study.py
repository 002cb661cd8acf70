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

from s2f_lib.audio import degrade
from s2f_lib.config import SEEDS
from s2f_lib.evaluate import appearance, baselines, dataset
from s2f_lib.io import row
from s2f_lib.metrics import (
    craniofacial,
    embedding,
    face_measures,
    inference,
    labels,
    retrieval,
    similarity,
    verification,
)
from s2f_lib.people import Population, sample

KINDS = ("reference", "F2F", "S2F")
Rows = Iterator[dict[str, Any]]
VOICE = {"predictor": "voice", "seconds": 6}
NAMES = {"voice": VOICE, "voice, 3 s": {"predictor": "voice", "seconds": 3}}
CORRUPTIONS = (None, *degrade.standard_set())  # None: as recorded
SHARED = (None, "sex", "sex and decade", "sex, decade and group")  # by the people of a gallery
RANKED = ("voice", "voice, 3 s", "sex alone", "sex and decade", "demographics", "null encoder", "oracle")


@dataclass(frozen=True)
class Evaluation:
    """Test people with their features, training people for the baselines, and the frozen networks; see `evaluation`.

    ``v_f`` is the recogniser's feature of a wild picture, ``v_f_other`` of another picture of the same person; ``v_s``
    what the encoder gives for a 6 s clip, ``v_s_short`` for its first 3 s (repeated to 6 s, as the paper does),
    ``v_s_other`` for a clip of other sentences in another room. All (N, D), float32; ``v_s_corrupted`` is that of the
    first people under each of `CORRUPTIONS`, (n, corruptions, D). Angles, ranks, faces and labels are worked out when
    they are first asked for.
    """

    population: Population
    people: pd.DataFrame  # their table
    v_f: np.ndarray
    v_f_other: np.ndarray
    v_s: np.ndarray
    v_s_short: np.ndarray
    v_s_other: np.ndarray
    train_people: pd.DataFrame
    train_v_f: np.ndarray
    v_s_corrupted: np.ndarray
    recogniser: object
    decoder: object
    classifier: object
    workers: int = 2

    def __len__(self) -> int:
        return len(self.people)

    @cached_property
    def strangers(self) -> np.ndarray:
        """For each test person the row of somebody else, (N,)."""
        return similarity.mismatched(len(self))

    @cached_property
    def predictions(self) -> dict[str, np.ndarray]:
        """v_s after six and after three seconds, and what stands in for it, by name; each (N, D)."""
        models = {
            "sex alone": baselines.DemographicsOnly(("sex",)),
            "sex and decade": baselines.DemographicsOnly(("sex", "decade")),
            "demographics": baselines.DemographicsOnly(),
            "oracle": baselines.Oracle(),
        }
        train = self.train_people, self.train_v_f
        return {
            "voice": self.v_s,
            "voice, 3 s": self.v_s_short,
            "mean feature": similarity.mean_feature(self.train_v_f, len(self)),
            "random pair": self.v_f[self.strangers],
            "null encoder": self.v_s[self.strangers],  # the encoder's answers, to other people
            **{name: model.fit(*train).predict(self.people) for name, model in models.items()},
            "another picture": self.v_f_other,
        }

    def answered_by(self, predictor: str) -> "Evaluation":
        """The same people, with a prediction in the place of the voice's: its faces are the S2F faces."""
        other = replace(self, v_s=self.predictions[predictor])
        predictions = self.predictions | {"voice": other.v_s}
        vars(other).update(unheard=self.unheard, predictions=predictions)  # or they would be made again
        return other

    @cached_property
    def angles(self) -> dict[str, np.ndarray]:
        """Degrees between every prediction and the true feature, (N,)."""
        return {name: similarity.angle_deg(predicted, self.v_f) for name, predicted in self.predictions.items()}

    @cached_property
    def ranks(self) -> dict[str, retrieval.Ranks]:
        """Ranks of every prediction in the gallery of true features, by cosine."""
        return {name: retrieval.rank(predicted, self.v_f) for name, predicted in self.predictions.items()}

    @cached_property
    def galleries(self) -> dict[tuple[str, str], retrieval.Ranks]:
        """Ranks of other queries in other galleries: features of F2F pictures, and those taken from the S2F picture."""
        from s2f_lib import faces

        f2f, s2f = (faces.extract(self.recogniser, self.faces[name][0])[0] for name in ("F2F", "S2F"))
        pairs = {
            ("v_s", "v_f"): (self.v_s, self.v_f),
            ("v_s", "other pictures of the people"): (self.v_s, self.v_f_other),
            ("v_s", "F2F pictures"): (self.v_s, f2f),
            ("S2F pictures", "v_f"): (s2f, self.v_f),
            ("S2F pictures", "F2F pictures"): (s2f, f2f),
            ("F2F pictures", "v_f"): (f2f, self.v_f),
        }
        return {names: retrieval.rank(queries, gallery) for names, (queries, gallery) in pairs.items()}

    @cached_property
    def groups(self) -> dict[str, np.ndarray]:
        """Labels of the test people, alone and together, as texts (N,)."""
        return labels.of_people(self.people)

    @cached_property
    def unheard(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Those of `faces` that owe nothing to a voice: reference and F2F."""
        f2f = dataset.decode(self.decoder, self.v_f)
        return {"reference": dataset.canonical_faces(self.population, f2f[0].shape[1], self.workers), "F2F": f2f}

    @cached_property
    def faces(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Canonical faces uint8 (N, S, S, 3) and landmarks (N, 68, 2): reference (true), F2F and S2F."""
        return self.unheard | {"S2F": dataset.decode(self.decoder, self.v_s)}

    @cached_property
    def labels(self) -> dict[str, pd.DataFrame]:
        """What the classifier says about reference, F2F and S2F faces."""
        return {name: appearance.read(self.classifier, pictures) for name, (pictures, _) in self.faces.items()}


def evaluation(
    recogniser,
    encoder,
    decoder,
    classifier,
    n: int = 1000,
    world: str = "physiology",
    seed: int = SEEDS["test"],
    *,
    train_n: int = 1500,
    corrupted: int = 150,
    workers: int = 2,
    progress: bool = False,
) -> Evaluation:
    """Render, synthesise and encode what an evaluation needs; from the cache the second time.

    Parameters
    ----------
    recogniser, encoder, decoder, classifier
        Frozen networks.
    n, world, seed
        Test people: they share nobody, and their clips no sentence, with training.
    train_n : int
        People of ``SEEDS["voice"]`` on whom the baselines (mean feature, demographics, oracle) are fitted.
    corrupted : int
        Test people whose clips are heard under each of `CORRUPTIONS` too.
    """
    test, train = sample(n, world, seed), sample(train_n, world, SEEDS["voice"])
    how = {"workers": workers, "progress": progress}
    v_f = dataset.face_features(recogniser, test, (0, 1), **how)
    v_s = dataset.voice_features(encoder, test, 0, changes=(None, degrade.first_seconds(3.0)), **how)
    v_s_other = dataset.voice_features(encoder, test, 1, **how)[:, 0]
    if v_s.shape[2] != v_f.shape[2]:
        raise ValueError(
            f"the encoder gives {v_s.shape[2]} dimensions, the recogniser {v_f.shape[2]}; "
            "evaluate an encoder with the recogniser it was trained for"
        )
    train_v_f = dataset.face_features(recogniser, train, **how)[:, 0]
    v_s_corrupted = dataset.voice_features(encoder, test[:corrupted], changes=CORRUPTIONS, **how)
    return Evaluation(
        *(test, test.table(), v_f[:, 0], v_f[:, 1], v_s[:, 0], v_s[:, 1], v_s_other, train.table(), train_v_f),
        *(v_s_corrupted, recogniser, decoder, classifier, workers),
    )


def similarity_table(evaluation: Evaluation) -> pd.DataFrame:
    """Table 2 of the paper with the baselines: angle, L2, L1 for 6 s, 3 s, and every stand-in."""
    table = similarity.table(evaluation.predictions, evaluation.v_f)
    return table.rename(index={"voice": "voice, 6 s"})


def retrieval_table(evaluation: Evaluation) -> pd.DataFrame:
    """Table 3 of the paper with baselines: shares in the first 1, 2, 5, 10 % of N, R@5 of N, median rank, matching."""
    others = ("voice, 3 s", "sex alone", "sex and decade", "demographics", "oracle", "mean feature", "another picture")
    ranks = {
        f"voice, 6 s ({metric})": retrieval.rank(evaluation.v_s, evaluation.v_f, metric=metric)
        for metric in retrieval.METRICS
    }
    ranks |= {f"{name} (cosine)": evaluation.ranks[name] for name in others}
    numbers = {name: retrieval.summary(found) for name, found in ranks.items()}
    rows = {name: {key: row["value"] for key, row in found.items()} for name, found in numbers.items()}
    rows["chance"] = {key: row["chance"] for key, row in numbers["voice, 6 s (cosine)"].items()}
    return pd.DataFrame.from_dict(rows, orient="index").assign(n=len(evaluation))


def within_table(evaluation: Evaluation) -> pd.DataFrame:
    """Retrieval among people who share something: what is left when sex, group, decade, language are no help."""
    rows = {}
    for shared in SHARED:
        for name in ("voice", "sex and decade", "demographics", "oracle"):
            kept = within(evaluation, name, shared)
            if len(kept) < 2:  # too few people for galleries of this kind
                continue
            numbers = retrieval.summary(kept)
            match, top = numbers["match_1_2"], numbers["top10_percent"]
            found = {"match_1_2": match["value"], "low": match["low"], "high": match["high"]}
            found |= {"top10_percent": top["value"], "chance_top10": top["chance"]}
            place = f"same {shared}" if shared else "everybody"
            rows[place, name] = found | {"faces": float(kept.size.mean()), "n": len(kept)}
    return pd.DataFrame.from_dict(rows, orient="index")


def within(evaluation: Evaluation, predictor: str, shared: str | None, metric: str = "cosine") -> retrieval.Ranks:
    """Ranks of a predictor among people of one label (of `Evaluation.groups`), where these are five or more."""
    groups = evaluation.groups.get(shared)
    ranks = retrieval.rank(evaluation.predictions[predictor], evaluation.v_f, metric=metric, groups=groups)
    return ranks.where(ranks.size >= 5)


def gallery_table(evaluation: Evaluation) -> pd.DataFrame:
    """Numbers of `Evaluation.galleries`."""
    rows = {}
    for (queries, gallery), ranks in evaluation.galleries.items():
        rows[f"{queries} among {gallery}"] = {key: row["value"] for key, row in retrieval.summary(ranks).items()}
    return pd.DataFrame.from_dict(rows, orient="index")


def attribute_table(evaluation: Evaluation) -> pd.DataFrame:
    """Agreement of sex, group, decade on true faces, F2F, S2F, and F2F against S2F, beside the constant guess."""
    said = {"assigned": evaluation.people} | evaluation.labels
    rows = {}
    for what in ("sex", "group", "decade"):
        read = {
            who: labels.decade(table["age"].to_numpy(float)) if what == "decade" else table[what].to_numpy()
            for who, table in said.items()
        }
        for a, b in (*(("assigned", kind) for kind in KINDS), ("F2F", "S2F")):
            near = (np.abs(read[a] - read[b]) <= 10).mean() if what == "decade" else np.nan
            rows[what, f"{a} x {b}"] = labels.summary(read[a], read[b]) | {"within_one": float(near)}
    return pd.DataFrame.from_dict(rows, orient="index")


def error_by_group(evaluation: Evaluation) -> dict[str, pd.DataFrame]:
    """Angle to the true feature and share of right sex labels on S2F faces, by sex, decade, group and language."""
    right = (evaluation.labels["S2F"]["sex"].to_numpy() == evaluation.people["sex"].to_numpy()).astype(float)
    top10 = evaluation.ranks["voice"].hit_percent(10)
    return labels.errors(evaluation.groups, evaluation.angles["voice"], right, top10)


def craniofacial_tables(evaluation: Evaluation) -> dict[str, pd.DataFrame]:
    """S2F measures against F2F (the paper's question), S2F against truth, F2F against truth (the decoder's ceiling)."""
    pairs = {"S2F x F2F": ("S2F", "F2F"), "S2F x truth": ("S2F", "reference"), "F2F x truth": ("F2F", "reference")}
    x = {name: face_measures.craniofacial(points) for name, (_, points) in evaluation.faces.items()}
    return {name: craniofacial.correlations(x[a], x[b], evaluation.people) for name, (a, b) in pairs.items()}


def purity_table(evaluation: Evaluation, untrained: np.ndarray | None = None, times: int = 200) -> pd.DataFrame:
    """Neighbour purity of v_f, v_s and, when given, features of an untrained encoder, against shuffled labels."""
    spaces = {"v_f": evaluation.v_f, "v_s": evaluation.v_s} | ({} if untrained is None else {"untrained": untrained})
    rows = {
        (space, name): embedding.purity_test(x, evaluation.groups[name], times=times)
        for space, x in spaces.items()
        for name in ("sex", "group", "language", "decade")
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def consistency(evaluation: Evaluation, clips: tuple | None = None) -> tuple[inference.Interval, ...]:
    """Angle between v_s of two clips: of one person (other sentences, other room), of two people, of two alike.

    Two alike are of one sex and decade; somebody who is alone in it is left out. ``clips`` (two of (N, D)) are what
    another encoder gives.
    """
    v_s, v_s_other = clips or (evaluation.v_s, evaluation.v_s_other)
    everybody, cells = np.arange(len(evaluation)), evaluation.groups["sex and decade"]
    alike = pd.Series(everybody).groupby(cells).transform(lambda members: np.roll(members, -1)).to_numpy()
    pairs = everybody, evaluation.strangers, alike
    same, other, near = (similarity.angle_deg(v_s, v_s_other[rows]) for rows in pairs)
    return tuple(inference.mean_interval(angle) for angle in (same, other, near[alike != everybody]))


def degradation_table(evaluation: Evaluation) -> pd.DataFrame:
    """Angle, top-10 % and distance from the average prediction of the first test people under `CORRUPTIONS`."""
    v_f, heard = evaluation.v_f, evaluation.v_s_corrupted
    n, average = len(heard), evaluation.v_s.mean(axis=0, keepdims=True)
    rows = {}
    for i, change in enumerate(CORRUPTIONS):
        v_s = heard[:, i]
        rows["as recorded" if change is None else change.name] = {
            "angle_deg": similarity.angle_deg(v_s, v_f[:n]).mean(),
            "top10_percent": retrieval.rank(v_s, v_f, truth=np.arange(n)).top_percent(10),
            "angle_from_average": similarity.angle_deg(v_s, average).mean(),
            "angle_from_unchanged": similarity.angle_deg(v_s, heard[:, 0]).mean(),
            "n": n,
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def duration_table(evaluation: Evaluation, encoder, n: int = 100, seconds=(1.0, 2.0, 3.0, 6.0, 12.0)) -> pd.DataFrame:
    """Figure 6 of the paper: angle and top-10 % of the first ``n`` test people when only so much speech is heard.

    Up to six seconds are repeated to six, as in the paper; longer speech is heard at its own length. Rows: seconds.
    """
    v_f, n, changes = evaluation.v_f, min(n, len(evaluation)), [degrade.truncate(s) for s in seconds]
    how = {"workers": evaluation.workers, "seconds": float(max(seconds))}
    heard = dataset.voice_features(encoder, evaluation.population[:n], changes=changes, **how)
    rows = {}
    for length, v_s in zip(seconds, heard.swapaxes(0, 1), strict=True):
        angle = inference.mean_interval(similarity.angle_deg(v_s, v_f[:n]))
        hit = inference.mean_interval(retrieval.rank(v_s, v_f, truth=np.arange(n)).hit_percent(10))
        rows[length] = {"angle_deg": angle.estimate, "angle_low": angle.low, "angle_high": angle.high}
        rows[length] |= {"top10_percent": hit.estimate, "top10_low": hit.low, "top10_high": hit.high, "n": n}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("seconds")


def rows(evaluation: Evaluation, untrained: tuple | None = None) -> list[dict]:
    """Every row of the record; ``untrained`` is what an untrained encoder gives for two clips of everybody."""
    found = [
        *similarity_rows(evaluation),
        *retrieval_rows(evaluation),
        *label_rows(evaluation),
        *craniofacial_rows(evaluation),
        *answer_rows(evaluation),
        *map_rows(evaluation, untrained and untrained[0]),
        *consistency_rows(evaluation),
        *(consistency_rows(evaluation, untrained, predictor="untrained") if untrained else ()),
        *corruption_rows(evaluation),
    ]
    for shared in (None, "sex"):
        summary = verification.summary(evaluation.v_s, evaluation.v_f, evaluation.groups.get(shared))
        found += [row(name, value, experiment="evidence", within=shared) for name, value in summary.items()]
    return found


def similarity_rows(evaluation: Evaluation) -> Rows:
    """Angles of the voice and the baselines, and how much nearer six seconds are."""
    of = {"experiment": "similarity"}
    short = similarity.angle_deg(evaluation.v_s_short[evaluation.strangers], evaluation.v_f)
    angles = evaluation.angles | {"null encoder, 3 s": short}
    for name, angle in evaluation.angles.items():
        yield row("angle", inference.mean_interval(angle), **of, **NAMES.get(name, {"predictor": name}))
    for name, against in (("voice", "voice, 3 s"), ("voice", "sex alone"), ("null encoder", "null encoder, 3 s")):
        gain = inference.mean_interval(angles[against] - angles[name])
        yield row("angle_gain", gain, **of, **NAMES.get(name, {"predictor": name}), against=against)


def retrieval_rows(evaluation: Evaluation) -> Rows:
    """Retrieval by every predictor, among everybody and among people who share something; other distances; gains."""
    cosine = [(name, "cosine", shared) for shared in SHARED for name in RANKED]
    for name, metric, shared in (*cosine, ("voice", "l2", None), ("voice", "l1", None)):
        ranks = within(evaluation, name, shared, metric)
        if len(ranks) < 2:  # too few people for galleries of this kind
            continue
        of = {"experiment": "retrieval", "metric": metric, "within": shared}
        if (name, metric) == ("voice", "cosine"):
            yield from retrieval.chance_rows(ranks, **of, predictor="chance")
        yield from retrieval.rows(ranks, **of, **NAMES.get(name, {"predictor": name}))
    for (queries, gallery), ranks in evaluation.galleries.items():
        where = {"experiment": "gallery", "queries": queries, "gallery": gallery}
        yield row("top_percent", ranks.top_percent(10), **where, k=10)
        yield row("recall_at", ranks.recall(5), **where, k=5)
        yield row("match", float(np.nanmean(ranks.match(2))), **where, k=2)
    hits = {name: ranks.hit_percent(10) for name, ranks in evaluation.ranks.items()}
    for name in ("demographics", "sex and decade", "sex alone", "voice, 3 s"):
        gain = inference.mean_interval(hits["voice"] - hits[name])
        yield row("top_percent_gain", gain, experiment="retrieval", metric="cosine", **VOICE, against=name, k=10)


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
        yield from labels.group_rows(table, by)


def craniofacial_rows(evaluation: Evaluation) -> Rows:
    """Correlations of face measures, their medians, and how many are significant."""
    for pair, table in craniofacial_tables(evaluation).items():
        of = {"experiment": "craniofacial", "pair": pair}
        for measure, found in table.iterrows():
            for how in ("pooled", "female", "male", "adjusted"):
                if np.isfinite(found[how]):
                    yield row("r", found[how], **of, face_measure=measure, how=how)
        for how in ("pooled", "adjusted"):
            yield row("median_r", craniofacial.median_r(table, how, face_measures.EXTRA), **of, how=how)
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


def consistency_rows(evaluation: Evaluation, clips: tuple | None = None, **of) -> Rows:
    """Angles between the predictions for two clips: of one person, of two, of two of one sex and decade."""
    of |= {"experiment": "consistency"}
    same, other, alike = consistency(evaluation, clips)
    yield row("clip_angle", same, **of, pair="same person")
    yield row("clip_angle", other, **of, pair="two people")
    yield row("clip_angle", alike, **of, pair="two people", within="sex and decade") | {"n": alike.n}


def corruption_rows(evaluation: Evaluation) -> Rows:
    """Angle, retrieval and distance from the average prediction under each corruption."""
    for name, found in degradation_table(evaluation).iterrows():
        of = {"experiment": "corruptions", "corruption": name, "n": int(found["n"])}
        yield row("top_percent", found["top10_percent"], **of, k=10)
        yield row("angle", found["angle_deg"], **of)
        yield row("angle_from_average", found["angle_from_average"], **of)
