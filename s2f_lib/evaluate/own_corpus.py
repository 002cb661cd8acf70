"""Evaluate an encoder on a corpus folder of your own: real or synthetic, with shards that hold v_f.

Without known causes there is no oracle and, without labels, no demographics-only baseline; what is left is
the encoder against the mean feature, random pairs and chance.
"""

from pathlib import Path

import numpy as np

from s2f_lib import corpus, hub, io
from s2f_lib.audio import degrade
from s2f_lib.evaluate import dataset
from s2f_lib.io import row
from s2f_lib.metrics import inference, retrieval, similarity
from s2f_lib.training.sources import NOTE

MOST = 5000  # clips in the gallery, as the paper


def features(source, encoder, seconds: float | None = None) -> tuple[np.ndarray, ...]:
    """v_s, v_f, speaker numbers of the first `MOST` clips of a source with ``take(rows)`` and a length."""
    v_s, v_f, speakers = [], [], []
    cut = None if seconds is None else degrade.first_seconds(seconds)
    for start in range(0, min(len(source), MOST), 32):
        batch = source.take(np.arange(start, min(start + 32, len(source), MOST)))
        waveform = np.asarray(batch["waveform"])
        if not np.issubdtype(waveform.dtype, np.floating):
            waveform = waveform.astype(np.float32) / 32_768
        v_s.append(dataset.encode(encoder, waveform if cut is None else cut(waveform)))
        v_f.append(np.asarray(batch["v_f"], np.float32))
        speakers.append(np.asarray(batch["speaker"]))
    if not v_s:
        raise ValueError("the corpus has no test clips with a face feature; run s2f corpus extract_features first")
    return np.concatenate(v_s), np.concatenate(v_f), np.concatenate(speakers)


def made_for(weights: str) -> dict:
    """Name and checksum of the recogniser whose features an encoder predicts, as far as known; {} if nothing is.

    The hub says so of its encoders, and the folder of a run of the file in it.
    """
    if not weights.endswith(".safetensors"):
        made_by = hub.describe(weights).get("recogniser") or {}
        return {"name": made_by["name"], "checksum": made_by["sha256"]} if made_by else {}
    note = Path(weights).parent / NOTE
    return io.read_json(note).get("recogniser", {}) if note.exists() else {}


def run(path: str | Path, encoder, recogniser: dict | None = None) -> tuple[int, list[dict], str]:
    """Numbers for a corpus folder: (clips, rows of the record, notes); see ``s2f evaluate``.

    ValueError if the corpus has no test clips with features, or they are known to be of another recogniser than the one
    that the encoder was made for, see `made_for`.
    """
    clips = corpus.open(path)
    test = clips.source("test")
    wanted, found = recogniser or {}, getattr(test, "about", {}).get("recogniser", {})
    for key in ("name", "checksum"):
        if wanted.get(key) and found.get(key) and wanted[key] != found[key]:
            raise ValueError(
                f"the encoder predicts features of the recogniser with {key} {wanted[key]}, the corpus holds those of "
                f"{found[key]}; take another encoder, or extract the features again with that recogniser"
            )
    v_s, v_f, speakers = features(test, encoder)
    short = features(test, encoder, seconds=3.0)[0]
    predictions = {
        ("voice", 6): v_s,
        ("voice", 3): short,
        ("mean feature", None): similarity.mean_feature(clips.source("train").mean_feature[None], len(v_f)),
        ("random pair", None): v_f[similarity.mismatched(len(v_f), people=speakers)],
    }
    rows = []
    for (name, seconds), guess in predictions.items():
        angle = inference.mean_interval(similarity.angle_deg(guess, v_f), speakers)
        rows.append(row("angle", angle, experiment="similarity", predictor=name, seconds=seconds))
    of = {"experiment": "retrieval", "metric": "cosine"}
    for seconds, queries in ((6, v_s), (3, short)):
        ranks = retrieval.rank(queries, v_f)
        rows += retrieval.rows(ranks, speakers, **of, predictor="voice", seconds=seconds)
    rows += retrieval.chance_rows(ranks, **of, predictor="chance")
    people = len(np.unique(speakers))
    notes = f"{len(v_f)} test clips of {people} speakers; only the exact clip counts as a hit; intervals draw speakers."
    return len(v_f), rows, notes
