"""All numbers of the evaluation on synthetic people, as rows of ``results/evaluation_synthetic.json``.

``experiment`` says of which table a row is; ``predictor`` who answers: the voice (with the ``seconds`` it spoke), or
one of the baselines.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from s2f_lib.evaluate import study
from s2f_lib.evaluate.study import Evaluation
from s2f_lib.io import row
from s2f_lib.metrics import craniofacial, inference, labels, retrieval, similarity

Rows = Iterator[dict[str, Any]]
VOICE = {"predictor": "voice", "seconds": 6}
NAMES = {"voice": VOICE, "voice, 6 s": VOICE, "voice, 3 s": {"predictor": "voice", "seconds": 3}}
RANKED = ("voice", "voice, 3 s", "sex alone", "sex and decade", "demographics", "oracle")


def run(evaluation: Evaluation, encoder, untrained: np.ndarray | None = None, degraded: int = 150) -> list[dict]:
    """Every row of the record; ``degraded`` people get degraded clips."""
    return [
        *similarity_rows(evaluation),
        *retrieval_rows(evaluation),
        *label_rows(evaluation),
        *craniofacial_rows(evaluation),
        *map_rows(evaluation, untrained),
        *consistency_rows(evaluation),
        *corruption_rows(evaluation, encoder, degraded),
        *(
            row(name, value, experiment="evidence", within=within)
            for within in (None, "sex")
            for name, value in study.evidence(evaluation, within).items()
        ),
    ]


def similarity_rows(evaluation: Evaluation) -> Rows:
    """Angles of the voice and the baselines, and how much nearer six seconds are."""
    of = {"experiment": "similarity"}
    for name, found in study.similarity_table(evaluation).iterrows():
        ends = {"low": found["low"], "high": found["high"]}
        yield row("angle", found["angle_deg"], **of, **NAMES.get(name, {"predictor": name})) | ends
    v_f, found = evaluation.material.v_f, evaluation.predictions
    for name in ("voice, 3 s", "sex alone"):
        gain = similarity.angle_deg(found[name], v_f) - similarity.angle_deg(found["voice"], v_f)
        gain = inference.mean_interval(gain)
        yield row("angle_gain", gain, **of, **VOICE, against=name)


def retrieval_rows(evaluation: Evaluation) -> Rows:
    """Retrieval by every predictor, among everybody and among people who share something; other distances; gains."""
    of = {"experiment": "retrieval", "metric": "cosine"}
    for within in (None, "sex", "sex and decade"):
        for name in RANKED:
            ranks = study.retrieval_ranks(evaluation, name, groups=evaluation.groups.get(within))
            ranks = ranks.where(ranks.size >= 5)  # a lineup needs a few faces
            yield from retrieval.rows(ranks, **of, **NAMES.get(name, {"predictor": name}), within=within)
        yield from retrieval.chance_rows(ranks, **of, predictor="chance", within=within)
    for metric in ("l2", "l1"):
        ranks = study.retrieval_ranks(evaluation, metric=metric)
        yield from retrieval.rows(ranks, experiment="retrieval", metric=metric, **VOICE)
    for name, found in study.gallery_table(evaluation).iterrows():
        queries, gallery = name.split(" among ")
        where = {"experiment": "gallery", "queries": queries, "gallery": gallery}
        yield row("top_percent", found["top10_percent"], **where, k=10)
        yield row("recall_at", found["recall_at_5"], **where, k=5)
        yield row("match", found["match_1_2"], **where, k=2)
    own = study.retrieval_ranks(evaluation).hit_percent(10)
    for name in ("demographics", "sex and decade", "sex alone", "voice, 3 s"):
        gain = inference.mean_interval(own - study.retrieval_ranks(evaluation, name).hit_percent(10))
        yield row("top_percent_gain", gain, **of, **VOICE, against=name, k=10)


def label_rows(evaluation: Evaluation) -> Rows:
    """Agreement of labels, and the angle and right sex labels by group."""
    for (label, pair), found in study.attribute_table(evaluation).iterrows():
        of = {"experiment": "labels", "label": label, "pair": pair}
        yield row("agreement", found["agreement"], **of) | {"low": found["low"], "high": found["high"]}
        yield row("balanced_accuracy", found["balanced"], **of)
        yield row("agreement_constant", found["constant"], **of)
        if np.isfinite(found["within_one"]):
            yield row("within_one_decade", found["within_one"], **of)
    for by, table in study.error_by_group(evaluation).items():
        yield from labels.group_rows(table, by)


def craniofacial_rows(evaluation: Evaluation) -> Rows:
    """Correlations of face measures, their medians, and how many are significant."""
    from s2f_lib.metrics.face_measures import EXTRA

    for pair, table in study.craniofacial_tables(evaluation).items():
        of = {"experiment": "craniofacial", "pair": pair}
        for measure, found in table.iterrows():
            for how in ("pooled", "female", "male", "adjusted"):
                if np.isfinite(found[how]):
                    yield row("r", found[how], **of, face_measure=measure, how=how)
        for how in ("pooled", "adjusted"):
            yield row("median_r", craniofacial.median_r(table, how, EXTRA), **of, how=how)
            yield row("significant", int((table[f"holm_{how}"] < 0.05).sum()), **of, how=how)
        yield row("largest_random_r", float(table["random"].abs().max()), **of)


def map_rows(evaluation: Evaluation, untrained: np.ndarray | None) -> Rows:
    """Do neighbours share labels? Of v_f, v_s and an untrained encoder, against shuffled labels."""
    for (space, label), found in study.purity_table(evaluation, untrained).iterrows():
        of = {"experiment": "map", "space": space, "label": label}
        yield row("purity", found["value"], **of)
        yield row("purity_shuffled", found["chance"], **of)
        yield row("p", found["p"], **of)


def consistency_rows(evaluation: Evaluation) -> Rows:
    """Angles between the predictions of two clips: of one person, of two people, of two of one sex and decade."""
    of = {"experiment": "consistency"}
    for pair, value in study.consistency(evaluation).items():
        yield row("clip_angle", value, **of, pair=pair)
    m, cell = evaluation.material, evaluation.groups["sex and decade"]
    order = np.lexsort((np.arange(len(cell)), cell))
    other = np.empty(len(cell), int)  # the next person of the same cell, the first after the last
    for members in np.split(order, np.flatnonzero(cell[order][1:] != cell[order][:-1]) + 1):
        other[members] = np.roll(members, -1)
    some = other != np.arange(len(cell))  # somebody alone in a cell has nobody to be compared with
    angle = inference.mean_interval(similarity.angle_deg(m.v_s[some], m.v_s_other[other[some]]))
    yield row("clip_angle", angle, **of, pair="two people", within="sex and decade") | {"n": int(some.sum())}


def corruption_rows(evaluation: Evaluation, encoder, degraded: int) -> Rows:
    """Angle, retrieval and distance from the average prediction under each corruption."""
    for name, found in study.degradation_table(evaluation, encoder, degraded).iterrows():
        of = {"experiment": "corruptions", "corruption": name, "n": int(found["n"])}
        yield row("top_percent", found["top10_percent"], **of, k=10)
        yield row("angle", found["angle_deg"], **of)
        yield row("angle_from_average", found["angle_from_average"], **of)
