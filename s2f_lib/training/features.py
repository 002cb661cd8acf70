"""Face features v_f and classes: computed once per picture, kept on disk, never mixed up between recognisers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from s2f_lib import io

FORMAT = 1


class FaceTargets(NamedTuple):
    """What the voice encoder is trained against: one row per picture."""

    v_f: np.ndarray  # (N, D) float16
    logits: np.ndarray | None  # (N, C) float16; None for a recogniser without classes


class StaleFeatures(ValueError):
    """A cache was made by another recogniser, or from other pictures."""


@torch.no_grad()
def compute(recogniser, images: Iterable[np.ndarray], batch_size: int = 64) -> FaceTargets:
    """Run the frozen recogniser over pictures.

    Parameters
    ----------
    recogniser
        An object of `s2f_lib.faces`: called with (B, 3, H, W) in [0, 1], gives ``v_f`` and ``logits``.
    images : iterable of np.ndarray, each (n, H, W, 3) uint8
        Pictures in pieces of any size, in order.
    """
    v_f, logits = [], []
    for piece in images:
        for i in range(0, len(piece), batch_size):
            picture = torch.from_numpy(np.ascontiguousarray(piece[i : i + batch_size])).permute(0, 3, 1, 2)
            features = recogniser(picture.float() / 255)
            v_f.append(features.v_f.cpu().numpy().astype(np.float16))
            if features.logits is not None:
                logits.append(features.logits.cpu().numpy().astype(np.float16))
    if not v_f:
        raise ValueError("no pictures came in, so there are no face features")
    return FaceTargets(np.concatenate(v_f), np.concatenate(logits) if logits else None)


def cached(path: str | Path, recogniser, pictures: str, images: Callable[[], Iterable[np.ndarray]]) -> FaceTargets:
    """Read face features from `path`, or compute and keep them.

    Parameters
    ----------
    path : str or Path
        A .npz file.
    recogniser
        Its ``checksum`` is stored, and compared when the file is read.
    pictures : str
        What the pictures are, e.g. population seed, world, number, size; stored and compared too.
    images : callable
        Gives the pictures; only called where there is no file yet.

    Raises
    ------
    StaleFeatures
        If the file belongs to another recogniser or to other pictures. Nothing is recomputed silently: delete the
        file or choose another name.
    """
    path = Path(path)
    wanted = {"format": FORMAT, "recogniser": recogniser.checksum, "pictures": pictures}
    if path.exists():
        return read(path, wanted)
    targets = compute(recogniser, images())
    with io.atomic_write(path) as file:
        arrays = {"v_f": targets.v_f} | ({} if targets.logits is None else {"logits": targets.logits})
        np.savez(file, made_from=np.array(json.dumps(wanted)), **arrays)
    return targets


def read(path: str | Path, wanted: dict) -> FaceTargets:
    """Read a cache and check that it was made from what is wanted; see `cached`."""
    with np.load(path) as file:
        found = json.loads(str(file["made_from"])) if "made_from" in file.files else {}
        for key, value in wanted.items():
            if found.get(key) != value:
                raise StaleFeatures(
                    f"{path} holds features made with {key} = {found.get(key)!r}, but {value!r} is wanted; "
                    "delete the file to compute them anew, or use another name"
                )
        return FaceTargets(file["v_f"], file["logits"] if "logits" in file.files else None)
