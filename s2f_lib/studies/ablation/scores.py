"""What a study's trained encoders are worth: retrieval, tested on 3 and on 6 seconds, and what their faces show.

Scores are kept beside each run. What the first seed of each variant predicts for the first eight held-out people goes
to ``results/tables/<study>_faces.npz``, so that a page can draw them.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from s2f_lib import hub, io, voice_encoder
from s2f_lib.io import row
from s2f_lib.metrics import retrieval
from s2f_lib.studies.ablation.runs import TEST_SECONDS, drawn_labels
from s2f_lib.training import validate

PEOPLE_SHOWN = 8
RUN_FILE = "voice_encoder.safetensors"


def score_runs(results: list[dict], study_folder: Path, validation, truth) -> list[dict]:
    """Every finished result with its scores added; a failed run stays as it is.

    Parameters
    ----------
    results : list of dict
        Of `jobs.run_job`.
    study_folder : Path
        Holds ``<variant>/seed-<n>/voice_encoder.safetensors``.
    validation : a source of clips, see `train`
        The held-out clips.
    truth : pandas.DataFrame
        ``sex`` and ``age`` of the held-out people, row by row.
    """
    from tqdm import tqdm

    decoder, reader = hub.load("decoder-synthetic-vgg"), hub.load("attributes-synthetic")
    frozen = hub.describe("decoder-synthetic-vgg")["sha256"]
    out = []
    for result in tqdm(results, desc="scores", unit="run"):
        folder = study_folder / result["variant"] / f"seed-{result['seed']}"
        if result["failed"] or not (folder / RUN_FILE).exists():
            out.append(result)
            continue
        kept = folder / "scores.json"
        scores = json.loads(kept.read_text()) if kept.exists() else {}
        if scores.get("decoder") != frozen or "scores" not in scores:
            encoder = voice_encoder.load(folder / RUN_FILE)
            scores = {"decoder": frozen, "scores": score(encoder, validation, truth, decoder, reader)}
            with io.atomic_write(kept, "w") as file:
                json.dump(scores, file)
        out.append(result | {"scores": scores["scores"]})
    return out


@torch.no_grad()
def score(encoder, validation, truth, decoder, reader) -> list[dict]:
    """Rows: first 1/5/10 % of the held-out people for each test length, sex and age as read off the decoded face."""
    v_f, found = validate.targets(validation).astype(np.float32), []
    for seconds in TEST_SECONDS:
        v_s = validate.predict(encoder, validation, seconds=seconds)
        ranks = retrieval.rank(validate.with_direction(v_s, v_f), v_f)
        for percent in (1, 5, 10):
            found.append(row("top_percent", ranks.top_percent(percent), seconds=int(seconds), k=percent))
    right, r = drawn_labels(v_s, truth, decoder, reader)
    of = {"seconds": int(TEST_SECONDS[-1])}
    return [*found, row("sex_right", right, **of), row("age_r", r, **of)]


def curve_rows(results: list[dict]) -> list[dict]:
    """Angle over the course of training: mean and standard deviation over a variant's seeds, by share of its length."""
    out = []
    for name in dict.fromkeys(result["variant"] for result in results):
        runs = [np.array(r["curve"], float) for r in results if r["variant"] == name and not r["failed"] and r["curve"]]
        if not runs:
            continue
        length = min(len(run) for run in runs)
        angle = np.stack([run[:length, 1] for run in runs])
        spread = (angle.std(axis=0, ddof=1) if len(runs) > 1 else 0 * angle[0]).round(4)
        progress = (runs[0][:length, 0] / runs[0][-1, 0]).round(4)
        for at, mean, sd in zip(progress.tolist(), angle.mean(axis=0).round(4).tolist(), spread.tolist(), strict=True):
            of = {"experiment": "curve", "variant": name, "progress": at}
            out.append(row("angle", mean, **of) | {"sd": sd, "n": len(runs)})
    return out


def write_faces(name: str, results: list[dict], study_folder: Path, validation) -> None:
    """Write the features that first-seed encoders predict for the people that a page shows."""
    shown = {}
    for variant in dict.fromkeys(result["variant"] for result in results):
        path = study_folder / variant / "seed-0" / RUN_FILE
        if path.exists():
            few = validation.subset(slice(0, PEOPLE_SHOWN))
            v_s = validate.predict(voice_encoder.load(path), few, seconds=TEST_SECONDS[-1])
            shown[variant] = v_s.astype(np.float16)
    shown["truth"] = validate.targets(validation)[:PEOPLE_SHOWN].astype(np.float16)
    with io.atomic_write(io.results_dir() / "tables" / f"{name}_faces.npz") as file:
        np.savez_compressed(file, **shown)
