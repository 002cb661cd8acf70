"""Fit the named variant that reads a real-voice feature: ridge regression from Resemblyzer's feature to v_f.

    python -m tools.train_speaker_encoder --people 8000 --publish

Synthetic people say invented utterances through random channels; nobody real is in this fit. About 0.1 s a person on
one core for the sound, the picture and the feature, which are kept; the fit itself takes seconds.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from s2f_lib import io
from s2f_lib.published import speaker_encoder
from s2f_lib.training import PeopleSet, people_set, validate
from tools.publish import publish, refuse_uncommitted

RECOGNISER = "synthetic-vgg"
PENALTIES = (100.0, 300.0, 1_000.0, 3_000.0, 10_000.0, 30_000.0)
HELD_OUT = 1_000  # people on whom the penalty is chosen


def features(which: PeopleSet) -> np.ndarray:
    """Speaker features of a set's clips, (N, 256); kept."""
    from tqdm.auto import tqdm

    def compute() -> np.ndarray:
        clips = people_set.voices(which)
        scaled = (clip / np.float32(32_768) for clip in tqdm(clips, desc="speaker features"))
        return np.array([speaker_encoder.level_feature(clip) for clip in scaled])

    return io.cache.array("level-speaker-features", [str(people_set.voices_key(which)), which.people], compute)


def fit(feature: np.ndarray, v_f: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """Weight (D, 256) and bias (D,) of the ridge regression of v_f (N, D) on features (N, 256) of one scale."""
    centre, scale, mean = feature.mean(axis=0), feature.std(), v_f.mean(axis=0)
    x = (feature - centre) / scale
    weight = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ (v_f - mean)).T / scale
    return weight, mean - weight @ centre


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    p = argparse.ArgumentParser(prog="python -m tools.train_speaker_encoder", description=__doc__.splitlines()[0])
    p.add_argument("--people", type=int, default=8_000, help="synthetic people who speak (default %(default)s)")
    p.add_argument("--publish", action="store_true", help="make it loadable by name")
    return p


def main() -> None:
    """Fit, say how well, and publish."""
    options = parser().parse_args()
    if options.publish:
        refuse_uncommitted()
    begun = time.perf_counter()
    which = PeopleSet(options.people, 1, sentences="free")
    source = people_set.source(which, RECOGNISER)
    feature, v_f = features(which).astype(float), np.asarray(source.v_f, np.float32)
    train, rest = slice(None, -HELD_OUT), slice(-HELD_OUT, None)
    scores = {}
    for penalty in PENALTIES:
        weight, bias = fit(feature[train], v_f[train], penalty)
        scores[penalty] = validate.quick_scores(feature[rest] @ weight.T + bias, v_f[rest])
        print(f"penalty {penalty:g}: {scores[penalty]}")
    penalty = min(scores, key=lambda p: scores[p]["angle_deg"])
    weight, bias = fit(feature, v_f, penalty)
    if options.publish:
        tensors = {"linear.weight": weight, "linear.bias": bias, "mean_face": v_f.mean(axis=0)}
        about = dict(source.about)
        recogniser = about.pop("recogniser")
        path = publish(
            speaker_encoder.NAME,
            {name: torch.from_numpy(np.asarray(value, np.float32)) for name, value in tensors.items()},
            {"feature_dim": v_f.shape[1]},
            kind="voice encoder",
            licence="Apache-2.0",
            source="fitted on synthetic people; it reads Resemblyzer's feature, learned from real speakers",
            builder="s2f_lib.published.speaker_encoder:load",
            requires=["resemblyzer"],
            command=io.command_of(parser(), options),
            device=io.describe_cpu(),
            seconds=round(time.perf_counter() - begun, 1),
            record="voices",
            data=about,
            recogniser={"name": recogniser["name"], "sha256": recogniser["checksum"]},
            settings={"penalty": penalty, "held_out": HELD_OUT},
            metrics=scores[penalty] | {"people": HELD_OUT},
        )
        print(f"→ {path}")


if __name__ == "__main__":
    main()
