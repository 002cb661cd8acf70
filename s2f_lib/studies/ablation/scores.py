"""What a study's trained encoders are worth: retrieval, tested on 3 and on 6 seconds, and what their faces show.

Scores are kept beside each run. The curves of all runs go to ``results/tables/<study>.json``, and what the first seed
of each variant predicts for the first eight held-out people to ``<study>_faces.npz``, so that a page can draw them.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from s2f_lib import hub, io, voice_encoder
from s2f_lib.faces import decoder_quality
from s2f_lib.faces.recogniser import to_tensor
from s2f_lib.metrics import retrieval
from s2f_lib.training import validate

PEOPLE_SHOWN = 8
TEST_SECONDS = (3.0, 6.0)
RUN_FILE = "voice_encoder.safetensors"


def score_runs(results: list[dict], study_folder: Path, validation, truth) -> list[dict]:
    """Every finished result with its scores added; a failed run stays as it is.

    Parameters
    ----------
    results : list of dict
        Of `sweep.run_job`.
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
        if scores.get("decoder") != frozen:
            encoder = voice_encoder.load(folder / RUN_FILE)
            scores = {"decoder": frozen} | score(encoder, validation, truth, decoder, reader)
            with io.atomic_write(kept, "w") as file:
                json.dump(scores, file)
        out.append(result | {key: value for key, value in scores.items() if key != "decoder"})
    return out


@torch.no_grad()
def score(encoder, validation, truth, decoder, reader) -> dict[str, float]:
    """Top-1/5/10 % of the held-out people for each test length, and sex and age as read off the decoded face."""
    v_f, found = validate.targets(validation).astype(np.float32), {}
    for seconds in TEST_SECONDS:
        v_s = validate.predict(encoder, validation, seconds=seconds)
        ranks = retrieval.rank(v_s, v_f)
        for percent in (1, 5, 10):
            found[f"top{percent}_percent_{seconds:g}s"] = 100 * ranks.top_percent(percent)
    faces = decoder_quality.to_pictures(decoder_quality.decode(decoder, v_s).image)
    labels = reader.label(to_tensor(faces))
    found["face_sex_right"] = float((labels.sex == truth["sex"].to_numpy()).mean())
    age = np.clip(labels.age, 18, 85).astype(float)
    found["face_age_r"] = float(np.corrcoef(age, truth["age"])[0, 1]) if age.std() > 0 else 0.0
    return found


def curves(results: list[dict]) -> dict[str, dict[str, list[float]]]:
    """Angle over the course of training: mean and standard deviation over a variant's seeds, by share of its length."""
    out = {}
    for name in dict.fromkeys(result["variant"] for result in results):
        runs = [np.array(r["curve"], float) for r in results if r["variant"] == name and not r["failed"] and r["curve"]]
        if not runs:
            continue
        length = min(len(run) for run in runs)
        angle = np.stack([run[:length, 1] for run in runs])
        out[name] = {
            "share": (runs[0][:length, 0] / runs[0][-1, 0]).round(4).tolist(),
            "angle_deg": angle.mean(axis=0).round(4).tolist(),
            "angle_deg_sd": (angle.std(axis=0, ddof=1) if len(runs) > 1 else 0 * angle[0]).round(4).tolist(),
        }
    return out


def write_tables(name: str, results: list[dict], study_folder: Path, validation) -> None:
    """Write the curves, and the features that first-seed encoders predict for the people that a page shows."""
    folder = io.results_dir() / "tables"
    with io.atomic_write(folder / f"{name}.json", "w") as file:
        json.dump({"curves": curves(results)}, file, indent=1)
        file.write("\n")
    shown = {}
    for variant in dict.fromkeys(result["variant"] for result in results):
        path = study_folder / variant / "seed-0" / RUN_FILE
        if path.exists():
            few = validation.subset(slice(0, PEOPLE_SHOWN))
            v_s = validate.predict(voice_encoder.load(path), few, seconds=TEST_SECONDS[-1])
            shown[variant] = v_s.astype(np.float16)
    shown["truth"] = validate.targets(validation)[:PEOPLE_SHOWN].astype(np.float16)
    with io.atomic_write(folder / f"{name}_faces.npz") as file:
        np.savez_compressed(file, **shown)
