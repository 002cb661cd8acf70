"""What was measured from a file, kept by the file's checksum: a second run, or one broken off, starts from there."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from s2f_lib import io


def cached(recipe: str, path: Path, measure: Callable[[Path], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The arrays of ``measure(path)``, from the cache if the same bytes went through the same recipe before.

    Parameters
    ----------
    recipe : str
        Name and version of the measurement, such as "picture-1"; a changed recipe needs a new name.
    path : Path
        The file measured; its SHA-256 is the key, so renamed copies are found and changed files measured again.
    measure : callable
        Gives named arrays. An exception passes through, and nothing is stored.

    Notes
    -----
    The cache (``S2F_HOME``, folder ``published``) holds features of real people. It stays on this machine; delete the
    folder to forget them.
    """
    key = io.sha256(path)
    store = io.cache_dir() / "published" / recipe / key[:2] / f"{key}.npz"
    if store.exists():
        try:
            with np.load(store) as arrays:
                return dict(arrays)
        except (ValueError, OSError, EOFError, zipfile.BadZipFile):  # cut off by a crash of the machine: measure again
            store.unlink()
    arrays = measure(path)
    with io.atomic_write(store) as file:
        np.savez(file, **arrays)
    return arrays
