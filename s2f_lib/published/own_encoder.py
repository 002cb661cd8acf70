"""Our voice encoder, trained on synthetic people only, on recordings of real ones: as it is, and trained on a little.

Real voices are a long way from synthetic ones, and a few hundred pairs are few. Both uses are therefore small: its
hidden layer as a frozen voice feature for the heads of `voice_heads`, and a short training of the whole encoder on the
training pairs of each fold.
"""

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from s2f_lib import audio, hub
from s2f_lib.losses import info_nce
from s2f_lib.metrics.similarity import unit
from s2f_lib.neighbours.heads import hear
from s2f_lib.published.layout import Part
from s2f_lib.published.matching import folds_by_speaker
from s2f_lib.published.voice_heads import RidgeHead

NAME = "voice-encoder-synthetic"
BATCH, CROP_SECONDS = 60, 3.0


def own_features(part: Part, progress: bool = True) -> np.ndarray:
    """Hidden feature (N, H) of every recording of a part, NaN where a file cannot be read; kept by checksum."""
    recipe = f"own-{hub.describe(NAME)['sha256'][:12]}"
    rows = part.measured("own encoder", recipe, (clip.sound for clip in part), _measure, progress)
    return np.stack([row["feature"] for row in rows]).astype(float)


def sounds(part: Part) -> np.ndarray:
    """Six seconds of every recording, (N, 96000) int16; silence where a file cannot be read."""
    return np.stack([(_clip(clip.sound) * 32767).astype(np.int16) for clip in part])


def fine_tuned(
    sound: np.ndarray, face: np.ndarray, speakers: Sequence, epochs: int = 6, folds: int = 5, seed: int = 0
) -> np.ndarray:
    """Scores (N, N) of encoders that went on training on real pairs; no row from one that knew that speaker.

    ``sound`` is (N, samples) int16, ``face`` (N, F); the epochs were fixed beforehand, not chosen on results. In each
    fold, ridge regression on the hidden feature gives the last layer, and then the whole encoder learns by InfoNCE on
    random crops of three seconds. The test is on six seconds, by centred cosine.
    """
    face, speakers = np.asarray(face, float), np.asarray(speakers)
    fold = folds_by_speaker(speakers, folds, seed)
    scores = np.empty((len(sound), len(sound)))
    features = hear(hub.load(NAME), sound)[0]
    for number in range(folds):
        test = fold == number
        predicted = _one_fold(sound, features, face, ~test, epochs, seed + number)
        level = predicted[~test].mean(axis=0)
        scores[test] = unit(predicted[test] - level) @ unit(face - face[~test].mean(axis=0)).T
    return scores


def _one_fold(
    sound: np.ndarray, features: np.ndarray, face: np.ndarray, train: np.ndarray, epochs: int, seed: int
) -> np.ndarray:
    """Predicted face features (N, F) for all clips, by an encoder trained on those of ``train``."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    encoder = hub.load(NAME).requires_grad_(True)
    encoder.fc2 = _ridge_layer(features[train], face[train])
    centre = torch.from_numpy(face[train].mean(axis=0)).float()
    known = np.flatnonzero(train)
    optimiser = torch.optim.AdamW(encoder.parameters(), 3e-4, weight_decay=0.05)
    crop = round(CROP_SECONDS * audio.SAMPLE_RATE)
    encoder.train()
    for _ in range(epochs):
        for rows in np.array_split(rng.permutation(known), max(1, len(known) // BATCH)):
            begin = rng.integers(sound.shape[1] - crop + 1, size=len(rows))
            clips = torch.from_numpy(np.stack([sound[i, b : b + crop] for i, b in zip(rows, begin)]))
            loss = info_nce(encoder(clips), torch.from_numpy(face[rows]).float() - centre).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return hear(encoder.eval(), sound)[1].astype(float)


def _ridge_layer(features: np.ndarray, face: np.ndarray) -> nn.Linear:
    """A last layer that predicts the centred face from the hidden feature, by ridge regression."""
    head = RidgeHead(300.0, "one").fit(features, face)
    layer = nn.Linear(features.shape[1], face.shape[1])
    rows = (head.weight / head.voice_scale[:, None]).T
    layer.weight.data = torch.from_numpy(rows).float()
    layer.bias.data = torch.from_numpy(-rows @ head.voice_mean).float()
    return layer


@functools.cache
def _encoder() -> nn.Module:
    return hub.load(NAME)


def _clip(path: Path) -> np.ndarray:
    """Six seconds of a file; silence if it cannot be read (its status says so elsewhere)."""
    try:
        return np.asarray(audio.fit_to_clip(audio.load(path)), np.float32)
    except (audio.AudioError, OSError):
        return np.zeros(round(audio.CLIP_SECONDS * audio.SAMPLE_RATE), np.float32)


def _measure(path: Path) -> dict[str, np.ndarray]:
    return {"feature": hear(_encoder(), _clip(path)[None])[0][0]}
