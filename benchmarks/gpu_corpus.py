"""A corpus for one machine: as many synthetic speakers as the time allows, one clip and one picture each.

What is there is kept, so a call that was stopped is continued by the next, and a run may use the first clips while
others are still being made. It needs processors only, no GPU. Sound is int16, 192 kB a clip; features take 10 kB.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np

from s2f_lib import config, io, people
from s2f_lib.faces.recogniser import FaceRecogniser, extract
from s2f_lib.people import speech
from s2f_lib.training import synthetic
from s2f_lib.training.data import ArraySource

# Whose voices, and which sentences: no two sets share a person, and what is tested is never said in training.
SETS = {
    "validation": (synthetic.VALIDATION_SEED, "test"),
    "test": (config.SEEDS["test"], "test"),
    "train": (config.SEEDS["voice"], "train"),
}
FLUSH = 512  # clips between two notes of progress


def done(folder: Path, name: str) -> int:
    """How many clips of a set are there."""
    return _read(folder, name)["done"]


def complete(folder: Path, name: str) -> bool:
    """Whether a set is all there."""
    found = _read(folder, name)
    return 0 < found["done"] == found["people"]


def make(folder: Path, name: str, count: int, recogniser: FaceRecogniser, workers: int, deadline: float) -> int:
    """Make what is missing of a set until all `count` are there, or `time.perf_counter` reaches the deadline.

    Returns
    -------
    int
        How many clips are complete.

    Raises
    ------
    ValueError
        If the folder holds a set of another size or another recogniser's features.
    """
    seed, sentences = SETS[name]
    what = {"seed": seed, "sentences": sentences, "people": count, "recogniser": recogniser.checksum}
    arrays, begin = _open(folder / name, what, recogniser)
    if begin == count or time.perf_counter() > deadline:
        return begin
    population = people.sample(count, seed=seed)[begin:]
    heard = seen = noted = begin
    half = workers // 2
    pictures = people.iterate_pictures(population, (0,), recogniser.image_size, workers=half)
    for part in speech.stream(population, 1, half, sentences=sentences):
        arrays["sound"][heard : heard + len(part)] = part[:, 0]
        heard += len(part)
        while seen < heard:
            seen += _look(arrays, seen, next(pictures), recogniser)
        over = time.perf_counter() > deadline
        if heard - noted >= FLUSH or over or heard == count:
            noted = _note(folder / name, what, arrays, min(heard, seen))
        if over:
            break
    pictures.close()
    return noted


def load(folder: Path, name: str, most: int | None = None) -> ArraySource:
    """The first clips of a set, by default all, read into memory.

    Raises
    ------
    ValueError
        If there are fewer.
    """
    found = _read(folder, name)
    count = found["people"] if most is None else most
    if not 0 < count <= found["done"]:
        raise ValueError(f"{folder / name} holds {found['done']} clips, {count} are wanted; run the part 'corpus'")
    sound, v_f, logits = (np.array(array[:count]) for array in _mapped(folder / name, "r").values())
    return ArraySource(sound, v_f, logits, np.arange(count))


def _read(folder: Path, name: str) -> dict:
    note = folder / name / "set.json"
    return json.loads(note.read_text()) if note.exists() else {"people": 0, "done": 0}


def _look(arrays: dict, at: int, pictures: np.ndarray, recogniser: FaceRecogniser) -> int:
    """Write the features of a few pictures (n, 1, S, S, 3); gives n."""
    v_f, logits = extract(recogniser, pictures[:, 0])
    arrays["v_f"][at : at + len(v_f)], arrays["logits"][at : at + len(v_f)] = v_f, logits
    return len(v_f)


def _open(folder: Path, what: dict, recogniser: FaceRecogniser) -> tuple[dict[str, np.ndarray], int]:
    """The arrays of a set, made empty where they are missing, and how much of them is complete."""
    note = folder / "set.json"
    if note.exists():
        found = json.loads(note.read_text())
        differences = [f"{key} {found[key]!r} instead of {new!r}" for key, new in what.items() if found[key] != new]
        if differences:
            raise ValueError(f"{folder} holds another set ({'; '.join(differences)}); delete it or take another folder")
        return _mapped(folder, "r+"), found["done"]
    folder.mkdir(parents=True, exist_ok=True)
    sizes = {"v_f": recogniser.feature_dim, "logits": recogniser.logits_dim}
    for name, width, kind in (("sound", synthetic.SAMPLES, np.int16), *((k, n, np.float16) for k, n in sizes.items())):
        np.lib.format.open_memmap(folder / f"{name}.npy", "w+", kind, (what["people"], width)).flush()
    arrays = _mapped(folder, "r+")
    return arrays, _note(folder, what, arrays, 0)


def _mapped(folder: Path, mode: str) -> dict[str, np.ndarray]:
    return {name: np.load(folder / f"{name}.npy", mmap_mode=mode) for name in ("sound", "v_f", "logits")}


def _note(folder: Path, what: dict, arrays: dict, complete: int) -> int:
    """Write what was made to the disk, then say how much that is."""
    for array in arrays.values():
        array.flush()
    with io.atomic_write(folder / "set.json", "w") as file:
        json.dump(what | {"done": complete}, file)
    return complete
