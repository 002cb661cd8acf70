"""All numbers of the evaluation on synthetic people, by flat names, for ``results/evaluation_synthetic.json``."""

from __future__ import annotations

import numpy as np

from s2f_lib.evaluate import tables as tables
from s2f_lib.evaluate.tables import Study
from s2f_lib.metrics import craniofacial, inference, retrieval, similarity


def run(study: Study, encoder, untrained: np.ndarray | None = None, spoiled: int = 150) -> tuple[dict, dict]:
    """Every number of the record, metrics and intervals by flat names; ``spoiled`` people get spoiled clips."""
    metrics: dict[str, float] = {}
    intervals: dict[str, list[float]] = {}
    _similarity_numbers(study, metrics, intervals)
    _retrieval_numbers(study, metrics, intervals)
    _attribute_numbers(study, metrics, intervals)
    _craniofacial_numbers(study, metrics)
    _map_numbers(study, untrained, metrics)
    for name, value in tables.consistency(study).items():
        key = f"angle_deg_{name.replace(' ', '_')}"
        metrics[key], intervals[key] = value.estimate, [value.low, value.high]
    for change, row in tables.robustness_table(study, encoder, spoiled).iterrows():
        key = _flat(change)
        metrics[f"robust_{key}_top10_percent"] = row["top10_percent"]
        metrics[f"robust_{key}_angle_deg"] = row["angle_deg"]
        metrics[f"robust_{key}_angle_from_average"] = row["angle_from_average"]
    for within in (None, "sex"):
        for name, value in tables.evidence(study, within).items():
            metrics[f"evidence_{name}" + (f"_same_{within}" if within else "")] = value
    return metrics, intervals


def _flat(name: str) -> str:
    """A name as used in records: lower-case letters, digits and "_"."""
    keep = "".join(c if c.isalnum() else "_" for c in name.lower().replace("+", "plus ").replace(" -", " minus "))
    return "_".join(part for part in keep.split("_") if part)


def _similarity_numbers(study: Study, metrics: dict, intervals: dict) -> None:
    for name, row in tables.similarity_table(study).iterrows():
        key = "angle_deg_" + _flat(name.replace("voice, ", ""))
        metrics[key], intervals[key] = row["angle_deg"], [row["low"], row["high"]]
    m = study.material
    own = similarity.angle_deg(m.v_s, m.v_f)
    for name, other in (("6s_over_3s", m.v_s_short), ("over_sex_alone", study.predictions["sex alone"])):
        gain = inference.mean_interval(similarity.angle_deg(other, m.v_f) - own)
        metrics[f"angle_gain_{name}"], intervals[f"angle_gain_{name}"] = gain.estimate, [gain.low, gain.high]


def _retrieval_numbers(study: Study, metrics: dict, intervals: dict) -> None:
    groups = {"": None, "_same_sex": study.material.people["sex"].to_numpy(str)}
    for suffix, group in groups.items():
        for name, label in (
            ("voice", ""),
            ("voice, 3 s", "_3s"),
            ("sex alone", "_sex_alone"),
            ("demographics", "_demographics"),
            ("perfect listener", "_perfect_listener"),
        ):
            for key, row in retrieval.summary(tables.retrieval_ranks(study, name, groups=group)).items():
                full = f"{key}{label}{suffix}"
                metrics[full], intervals[full] = row["value"], [row["low"], row["high"]]
                metrics[f"{key}_chance{suffix}"] = row["chance"]
    for metric in ("l2", "l1"):
        for key, row in retrieval.summary(tables.retrieval_ranks(study, metric=metric)).items():
            metrics[f"{key}_{metric}"], intervals[f"{key}_{metric}"] = row["value"], [row["low"], row["high"]]
    for name, row in tables.gallery_table(study).iterrows():
        for key in ("top10_percent", "recall_at_5", "match_1_2"):
            metrics[f"{key}_{_flat(name)}"] = row[key]
    own = tables.retrieval_ranks(study).hit_percent(10)
    others = {"over_demographics": "demographics", "over_sex_alone": "sex alone", "6s_over_3s": "voice, 3 s"}
    for name, other in others.items():
        gain = inference.mean_interval(own - tables.retrieval_ranks(study, other).hit_percent(10))
        metrics[f"top10_gain_{name}"], intervals[f"top10_gain_{name}"] = gain.estimate, [gain.low, gain.high]


def _attribute_numbers(study: Study, metrics: dict, intervals: dict) -> None:
    for (what, pair), row in tables.attribute_table(study).iterrows():
        key = f"{what}_{_flat(pair).replace('assigned_x_', '')}"
        metrics[key], intervals[key] = row["agreement"], [row["low"], row["high"]]
        metrics[f"{key}_balanced"], metrics[f"{key}_constant"] = row["balanced"], row["constant"]
        if np.isfinite(row["within_one"]):
            metrics[f"{key}_within_one"] = row["within_one"]
    for name, table in tables.error_by_group(study).items():
        for group, row in table.iterrows():
            key = f"angle_deg_by_{_flat(name)}_{_flat(group)}"
            metrics[key] = row["angle_deg"]
            if np.isfinite(row["low"]):  # a group of one person has no interval
                intervals[key] = [row["low"], row["high"]]
            metrics[f"sex_right_by_{_flat(name)}_{_flat(group)}"] = row["sex_right"]


def _craniofacial_numbers(study: Study, metrics: dict) -> None:
    from s2f_lib.faces.measures import EXTRA

    for pair, table in tables.craniofacial_tables(study).items():
        label = _flat(pair)
        for measure, row in table.iterrows():
            for how in ("pooled", "female", "male", "adjusted"):
                if np.isfinite(row[how]):
                    metrics[f"r_{label}_{_flat(measure)}_{how}"] = row[how]
        for how in ("pooled", "adjusted"):
            metrics[f"median_r_{label}_{how}"] = craniofacial.median_r(table, how, EXTRA)
            metrics[f"significant_{label}_{how}"] = int((table[f"holm_{how}"] < 0.05).sum())
        metrics[f"largest_random_r_{label}"] = float(table["random"].abs().max())


def _map_numbers(study: Study, untrained: np.ndarray | None, metrics: dict) -> None:
    for (space, name), row in tables.purity_table(study, untrained).iterrows():
        metrics[f"purity_{space}_{name}"] = row["value"]
        metrics[f"purity_{space}_{name}_chance"] = row["chance"]
        metrics[f"purity_{space}_{name}_p"] = row["p"]
