"""Atomic writes, checksums and the cache folder."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO

__all__ = ["atomic_path", "atomic_write", "cache_dir", "explain", "sha256"]


def cache_dir() -> Path:
    """Folder for downloaded weights and made corpora: ``$S2F_HOME``, or ``~/.cache/s2f``; made if it is missing."""
    folder = Path(os.environ.get("S2F_HOME") or Path.home() / ".cache" / "s2f").expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(
            error.errno, f"cannot make the cache folder ({error.strerror}); set S2F_HOME to a writable one", str(folder)
        ) from error
    return folder


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it takes its name, on failure nothing stays.

    For writers that want a path (safetensors, tarfile, PyAV). The file gets its final name only when it is complete
    and on the disk, so that a killed run never leaves half a file that looks whole.

    Parameters
    ----------
    path : str or Path
        Final name. Its folder is made if it is missing; a file of that name is replaced.

    Yields
    ------
    Path
        A free name in the same folder, with the same ending, starting with ".".

    Raises
    ------
    OSError
        If the folder cannot be written or the disk is full; the message says which, and where. An error of another
        file, one that is read inside the block, passes as it is.
    """
    path = Path(path)
    temporary = path.with_name(f".{secrets.token_hex(4)}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explain(error, path) from error
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if error.filename is not None and str(error.filename) != str(temporary):
            raise
        raise explain(error, path) from error
    finally:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            temporary.unlink()


@contextlib.contextmanager
def atomic_write(path: str | Path, mode: str = "wb", **options) -> Iterator[IO]:
    """Open a file for writing that appears under its name only when everything was written.

    Parameters
    ----------
    path : str or Path
        Final name; missing folders are made.
    mode : {"wb", "w"}
        Bytes (default) or text; text is UTF-8 unless ``encoding`` is given.
    **options
        Passed to `open`.

    Examples
    --------
    >>> import tempfile
    >>> name = Path(tempfile.mkdtemp()) / "note.txt"
    >>> with atomic_write(name, "w") as file:
    ...     _ = file.write("whole or absent")
    >>> name.read_text()
    'whole or absent'
    """
    if mode not in ("wb", "w"):
        raise ValueError(f"mode must be 'wb' or 'w', got {mode!r}")
    if mode == "w":
        options.setdefault("encoding", "utf-8")
    with atomic_path(path) as temporary, open(temporary, mode, **options) as file:
        yield file


def sha256(path: str | Path) -> str:
    """SHA-256 of a file as 64 hexadecimal digits; reads in pieces of 1 MB, so any size fits in memory."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def explain(error: OSError, path: Path) -> OSError:
    """Say in words what a failed write means; keeps the class and the errno."""
    reasons = {
        errno.ENOSPC: "the disk is full; free some space and run again, what is complete is kept",
        errno.EDQUOT: "the disk quota is used up; free some space and run again, what is complete is kept",
        errno.EACCES: "no permission to write here; choose another folder",
        errno.EROFS: "this file system is read-only; choose another folder",
        errno.EEXIST: "a part of this path is a file, not a folder; choose another name",
        errno.ENOTDIR: "a part of this path is a file, not a folder; choose another name",
    }
    if error.errno not in reasons:
        return error
    return type(error)(error.errno, f"cannot write: {reasons[error.errno]}", str(path))
