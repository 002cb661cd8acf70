"""One cache of arrays: what is expensive to make is made once, and never mixed up with something else.

An array is kept under a name that is a hash of all that it was made from, so that a stale one is never read: other
weights, another version of the renderer or another seed is another name. Files are whole or absent, one process at a
time makes them while others wait, and a damaged file is made anew.
"""

import functools
import hashlib
import json
import math
import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from s2f_lib.io import files


class StaleCache(ValueError):
    """A folder of arrays was made from something else than what is asked for; the message names the differences."""


def location(kind: str, made_from: Any, suffix: str = ".npy") -> Path:
    """Where an array is kept: ``$S2F_HOME/<kind>-<hash of made_from><suffix>``; `kind` may hold folders.

    `made_from` is all that the content depends on, as JSON holds it: checksums of networks and files, seeds, versions.
    """
    name = hashlib.sha256(json.dumps(made_from).encode()).hexdigest()[:20]
    return files.cache_dir() / f"{kind}-{name}{suffix}"


def array(kind: str, made_from: Any, make: Callable[[], np.ndarray], mmap: bool = False) -> np.ndarray:
    """An array from the cache (see `location`), or made and kept; an exception of `make` passes, and nothing is kept.

    With `mmap` the file is mapped into memory, read-only, for arrays that are larger than one wants to read.

    See Also
    --------
    arrays : several arrays with names.
    several : many arrays of one kind, of which the missing ones are made together.
    grow : a set that takes hours, and goes on where it was broken off.
    """
    mode = "r" if mmap else None
    save = functools.partial(np.save, allow_pickle=False)
    return _kept(location(kind, made_from), make, lambda path: np.load(path, mmap_mode=mode), save)


def arrays(kind: str, made_from: Any, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Named arrays from the cache, or made and kept; see `array`."""
    return _kept(location(kind, made_from, ".npz"), make, _load_all, lambda file, named: np.savez(file, **named))


def of_file(kind: str, path: str | Path, measure: Callable[[Path], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Named arrays that were measured from a file, kept by its checksum; a changed measurement needs another `kind`."""
    return arrays(kind, files.sha256(path), lambda: measure(path))


def several(kind: str, made_from: Sequence, make: Callable[[list[int]], Sequence[np.ndarray]]) -> list[np.ndarray]:
    """Arrays of one kind, each with its `made_from`.

    `make` is called once, with the positions of those that are not in the cache, and gives these in that order.
    """
    missing = [i for i, one in enumerate(made_from) if not location(kind, one).exists()]
    if missing:
        for i, made in zip(missing, make(missing), strict=True):
            array(kind, made_from[i], lambda made=made: made)
    return [array(kind, one, lambda i=i: make([i])[0]) for i, one in enumerate(made_from)]


def grow(
    folder: str | Path,
    made_from: dict,
    count: int,
    rows: dict[str, tuple[Any, tuple[int, ...]]],
    fill: Callable[[int], Iterable[tuple[np.ndarray, ...]]],
    every: int = 256,
) -> dict[str, np.ndarray]:
    """Large arrays as read-only memory maps, filled piece by piece; a call that was broken off goes on there.

    The folder holds ``<name>.npy`` and ``set.json``. A set of fewer rows is taken out of a complete larger one.

    Parameters
    ----------
    made_from : dict
        All that the rows depend on, in JSON's types, but for their number, `count`.
    rows : dict
        Name of each array, and the type and shape of one row.
    fill : callable
        Called with the number of rows that are there, gives the rest in order: pieces of any length, each a tuple
        with one array for each name. After `every` rows the progress is noted.

    Raises
    ------
    StaleCache
        If the folder holds rows that were made from something else.
    OSError
        If the disk cannot hold all of it; nothing is left then.
    """
    folder = Path(folder)
    found = files.once(
        folder,
        lambda: _open(folder, made_from, count, rows),
        lambda: _fill(folder, made_from, count, rows, fill, every),
        "another process is making these arrays",
    )
    if found is None:
        raise OSError(f"{folder} cannot be read back after it was written; is its disk in order?")
    return found


def _kept(path: Path, make: Callable, load: Callable, save: Callable) -> Any:
    """What a file holds, or what `make` gives, which is then kept in it."""

    def keep() -> None:
        made = make()
        with files.atomic_write(path) as file:
            save(file, made)

    return files.once(path, lambda: _read(path, load), keep, "another process is making it")


def _read(path: Path, load: Callable) -> Any:
    """The content of a file, or None where there is none or it is damaged; a damaged one is said."""
    try:
        return load(path)
    except FileNotFoundError:
        return None
    except Exception as error:  # what damaged .npy and .npz files make numpy raise has no end
        warnings.warn(f"{path} is damaged ({error}); it is made anew", stacklevel=6)
        return None


def _load_all(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as stored:
        return dict(stored)


def _note(folder: Path) -> dict:
    """What a folder says about itself; empty where it says nothing that can be read."""
    try:
        note = files.read_json(folder / "set.json")
        return note if {"made_from", "count", "done"} <= note.keys() else {}
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}


def _open(folder: Path, made_from: dict, count: int, rows: dict) -> dict[str, np.ndarray] | None:
    """The arrays of a complete set, mapped; None where it is not there, not complete or damaged."""
    note = _note(folder)
    if not note:
        return None
    if told := files.differences(note["made_from"], json.loads(json.dumps(made_from))):
        raise StaleCache(f"{folder} holds something else ({told}); give another folder, or delete it")
    if note["done"] < note["count"] or note["count"] < count:
        return None
    opened = {}
    for name, (kind, shape) in rows.items():
        path = folder / f"{name}.npy"
        mapped = _read(path, lambda path: np.load(path, mmap_mode="r"))
        if mapped is None or mapped.dtype != np.dtype(kind) or mapped.shape != (note["count"], *shape):
            return None
        opened[name] = mapped[:count]
    return opened


def _fill(folder: Path, made_from: dict, count: int, rows: dict, fill: Callable, every: int) -> None:
    """Write what is missing beside the final names, and rename it when it is complete."""
    partial = {name: folder / f"{name}.partial.npy" for name in rows}
    note = _note(folder)
    done = note["done"] if note.get("count") == count and all(path.exists() for path in partial.values()) else 0
    if not done:
        folder.mkdir(parents=True, exist_ok=True)
        for name, (kind, shape) in rows.items():
            _reserve(partial[name], kind, (count, *shape))
        _write_note(folder, made_from, count, 0)
    maps = [np.load(path, mmap_mode="r+") for path in partial.values()]
    noted = done
    for pieces in fill(done):
        for mapped, piece in zip(maps, pieces, strict=True):
            mapped[done : done + len(piece)] = piece
        done += len(pieces[0])
        if done - noted >= every:
            for mapped in maps:
                mapped.flush()
            _write_note(folder, made_from, count, done)
            noted = done
    if done != count:
        raise ValueError(f"{folder}: {done} rows were made, {count} were wanted")
    for mapped in maps:
        mapped.flush()
    del maps, mapped
    for name, path in partial.items():
        path.replace(folder / f"{name}.npy")
    _write_note(folder, made_from, count, count)


def _reserve(path: Path, kind: Any, shape: tuple[int, ...]) -> None:
    """An .npy file of zeros whose bytes are on the disk before it is mapped."""
    try:
        with open(path, "wb") as file:
            header = {"descr": np.lib.format.dtype_to_descr(np.dtype(kind)), "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_2_0(file, header)
            file.flush()
            size = file.tell() + math.prod(shape) * np.dtype(kind).itemsize
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:  # macOS, Windows
                while (missing := size - file.tell()) > 0:
                    file.write(bytes(min(missing, 1 << 24)))
    except OSError as error:
        path.unlink(missing_ok=True)
        raise files.explain(error, path) from error


def _write_note(folder: Path, made_from: dict, count: int, done: int) -> None:
    with files.atomic_write(folder / "set.json", "w") as file:
        json.dump({"made_from": made_from, "count": count, "done": done}, file)
