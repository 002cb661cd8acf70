"""Rendered pictures of a population as memory-mapped files, made once and continued if broken off."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from s2f_lib import io, people

__all__ = ["PictureSet", "rendered"]

CHUNK = 40  # people rendered between two notes of progress
TOLERANCE = 2.0  # grey levels, mean difference of a picture that two machines render; another renderer's is larger


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

    A call that was broken off continues where it stopped. A smaller set is taken out of a complete larger one: the
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
    ValueError
        If the folder holds another set, or pictures of another version of the renderer; the message names the
        differences, or says what to delete.
    """
    folder, items = Path(folder), tuple(items) if kind == "wild" else (0,)
    what = {"seed": population.seed, "people": len(population), "kind": kind, "size": size, "items": list(items)}
    done = _done(folder, what)
    if done:
        _check_first_picture(folder, population, what)
    if not (folder / "set.json").exists():
        shape = (len(population), len(items), size, size, 3)
        folder.mkdir(parents=True, exist_ok=True)
        np.lib.format.open_memmap(folder / "pictures.npy", "w+", np.uint8, shape).flush()
        np.lib.format.open_memmap(folder / "landmarks.npy", "w+", np.float32, (*shape[:2], 68, 2)).flush()
        _note(folder, what | {"done": 0})
    if done < len(population):
        _render(folder, population, what, done, workers, progress)
    arrays = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in PictureSet._fields)
    return PictureSet(*(array[: len(population), : len(items)] for array in arrays))


def _render(folder: Path, population: people.Population, what: dict, done: int, workers: int, progress: bool) -> None:
    """Render what is missing, noting the progress now and then."""
    from tqdm import tqdm

    pictures, points = (np.load(folder / f"{name}.npy", mmap_mode="r+") for name in PictureSet._fields)
    size, noted = what["size"], done
    wanted = (population[done:], what["items"], size, what["kind"], workers)
    stream = people.iterate_pictures(*wanted, return_landmarks=True)
    with tqdm(total=len(population), initial=done, unit="person", desc=what["kind"], disable=not progress) as bar:
        for part, part_points in stream:
            pictures[done : done + len(part)], points[done : done + len(part)] = part, part_points / size
            done += len(part)
            bar.update(len(part))
            if done - noted >= CHUNK or done == len(population):
                pictures.flush()
                points.flush()
                _note(folder, what | {"done": done})
                noted = done


def _done(folder: Path, what: dict) -> int:
    """How many of the wanted people are there already; a complete larger set will do as well."""
    note = folder / "set.json"
    if not note.exists():
        return 0
    found = json.loads(note.read_text(encoding="utf-8"))
    complete = found["done"] == found["people"]
    if complete and found["people"] >= what["people"] and found["items"][: len(what["items"])] == what["items"]:
        found |= {"people": what["people"], "items": what["items"], "done": what["people"]}
    differences = [f"{key} {found[key]!r} instead of {value!r}" for key, value in what.items() if found[key] != value]
    if differences:
        raise ValueError(f"{folder} holds other pictures ({'; '.join(differences)}); give another folder or delete it")
    return found["done"]


def _check_first_picture(folder: Path, population: people.Population, what: dict) -> None:
    """Render one picture again and compare it, so that pictures of an older renderer are never used by mistake."""
    again = people.render_many(population[:1], what["items"][:1], what["size"], what["kind"], workers=1)[0, 0]
    kept = np.load(folder / "pictures.npy", mmap_mode="r")[0, 0]
    difference = np.abs(kept.astype(int) - again).mean()
    if difference > TOLERANCE:
        raise ValueError(
            f"{folder} was rendered by another version of the renderer, or of other people (the first picture differs "
            f"by {difference:.1f} grey levels); delete the folder, and the features that were computed from it"
        )


def _note(folder: Path, content: dict) -> None:
    with io.atomic_write(folder / "set.json", "w") as file:
        json.dump(content, file)
