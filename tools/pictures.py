"""Rendered pictures of a population as memory-mapped files, made once and continued if broken off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from s2f_lib import faces, io, people
from s2f_lib.metrics import face_measures
from s2f_lib.people.fingerprint import face_version

__all__ = ["PictureSet", "quick_quality", "rendered"]

CHUNK = 40  # people rendered between two notes of progress


class PictureSet(NamedTuple):
    """Pictures of n people, and where their landmarks are."""

    pictures: np.ndarray  # (n, items, S, S, 3) uint8
    landmarks: np.ndarray  # (n, items, 68, 2) float32, x and y in 0-1 of the picture


def rendered(
    folder: str | Path,
    population: people.Population,
    *,
    kind: str,
    size: int,
    items: Sequence[int] = (0,),
    workers: int = 2,
    progress: bool = True,
) -> PictureSet:
    """Pictures of a population, rendered into a folder the first time and mapped into memory from then on.

    A call that was broken off continues where it stopped. Fewer people are taken out of a complete larger set: the
    first people of a seed are the same however many there are.

    Parameters
    ----------
    folder : str or Path
        Where the files of this set go.
    population : people.Population
    kind : {"wild", "canonical"}
    size : int
        Height and width, in pixels.
    items : sequence of int
        Numbers of the wild pictures; a canonical picture has the one number 0.
    workers : int
        Processes.
    progress : bool
        Show a bar.

    Returns
    -------
    PictureSet
        Read-only arrays.

    Raises
    ------
    io.cache.StaleCache
        If the folder holds another set, or pictures of another version of the renderer; the message names the
        differences.
    """
    items = tuple(items) if kind == "wild" else (0,)
    made_from = {"seed": population.seed, "kind": kind, "size": size, "items": list(items), "renderer": face_version()}
    rows = {
        "pictures": (np.uint8, (len(items), size, size, 3)),
        "landmarks": (np.float32, (len(items), 68, 2)),
    }

    def fill(done: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        from tqdm import tqdm

        stream = people.iterate_pictures(population[done:], items, size, kind, workers, return_landmarks=True)
        with tqdm(total=len(population), initial=done, unit="person", desc=kind, disable=not progress) as bar:
            for pictures, points in stream:
                yield pictures, points / size
                bar.update(len(pictures))

    return PictureSet(**io.cache.grow(folder, made_from, len(population), rows, fill, CHUNK))


def quick_quality(decoder: faces.FaceDecoder, v_f: np.ndarray, canonical: PictureSet) -> dict[str, float]:
    """How much of a person a decoded face keeps, by the two measures that need no other network.

    Parameters
    ----------
    decoder : FaceDecoder
    v_f : np.ndarray, shape (n, D)
        Features of one wild picture of each person.
    canonical : PictureSet
        Their true canonical pictures, in the decoder's size.
    """
    decoded, points = faces.decode(decoder, v_f), canonical.landmarks[:, 0]
    correlations = face_measures.craniofacial_correlations(decoded.landmarks.numpy(), points)
    return {
        "texture_error_vs_mean_face": faces.texture_error(decoder, decoded.texture, canonical.pictures[:, 0], points),
        "craniofacial_median_r": float(np.median([*correlations.values()])),
    }
