"""Atomic writes, locks, checksums and the cache folder."""

import contextlib
import csv
import errno
import functools
import hashlib
import json
import os
import platform
import re
import secrets
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TypeVar

T = TypeVar("T")
_swept: set[Path] = set()  # folders from which this process has taken what killed writers left
_held: set[IO] = set()  # lock files of this process; a forked child closes its copies, so that it holds none of them
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: [_held.pop().close() for _ in range(len(_held))])


class BusyError(OSError):
    """Another process is writing what this one wants to write; the message says what to do."""


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
    and on the disk, so that a killed run never leaves half a file that looks whole. The temporary name is in the same
    folder, which is made if it is missing, and has the same ending.

    Raises
    ------
    OSError
        If the folder cannot be written or the disk is full; the message says which, and where. An error of another
        file, one that is read inside the block, passes as it is.
    """
    path = Path(path)
    temporary = path.with_name(f".{_machine()}-{os.getpid()}-{secrets.token_hex(4)}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
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
        with contextlib.suppress(OSError):  # it has taken its name, or nothing can be written here
            temporary.unlink()


@contextlib.contextmanager
def atomic_write(path: str | Path, mode: str = "wb", **options) -> Iterator[IO]:
    """Open a file for writing ("wb" or "w", in UTF-8) that appears under its name only when everything was written.

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


@contextlib.contextmanager
def locked(path: str | Path, *, wait: bool = True, busy: str = "another process is writing it") -> Iterator[None]:
    """Let one process (or thread) at a time into the block; the lock is gone when its holder is, however it ended.

    `path` is what is written, a file or a folder that need not exist; the lock is a hidden empty file beside it.
    Another process that is inside is waited for (with a warning that says so), or refused (`BusyError`); `busy` says
    what it is doing. Where the file system or the platform knows no locks, nothing is locked.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    path = Path(path)
    lock = path.with_name(f".{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            file = open(lock, "ab")  # noqa: SIM115 - closed below, or it was taken away while we waited
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not wait:
                    file.close()
                    raise BusyError(errno.EBUSY, f"{busy}; wait for it, or choose another name", str(path)) from None
                warnings.warn(f"waiting for {path}: {busy}", stacklevel=3)
                fcntl.flock(file, fcntl.LOCK_EX)
            except OSError as error:
                if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP):
                    raise
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), os.stat(lock)):
                    break
            file.close()
    except BusyError:
        raise
    except OSError as error:
        raise explain(error, path) from error
    _held.add(file)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        _held.discard(file)
        file.close()


def once(path: str | Path, find: Callable[[], T | None], make: Callable[[], object], busy: str) -> T | None:
    """What `find` gives, after `make` where it gives None; of several processes one makes it and the others wait."""
    if (found := find()) is None:
        with locked(path, busy=busy):
            if (found := find()) is None:
                make()
                found = find()
    return found


def sha256(path: str | Path) -> str:
    """SHA-256 of a file of any size as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_table(path: str | Path) -> list[dict[str, str]]:
    """Rows of a CSV file with a header: {column: text}."""
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_json(path) -> dict:
    """The object in a JSON file, given by a Path or what reads like one; ValueError that names it if it holds none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged or no JSON file: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} is damaged: it must be a JSON object, got {type(found).__name__}")
    return found


def differences(found: dict, wanted: dict) -> str:
    """What differs between two descriptions, of JSON's types; "" if nothing does.

    >>> differences({"seed": 5, "world": "flat"}, {"seed": 6, "world": "flat"})
    'seed 5 instead of 6'
    """
    keys = [key for key in dict.fromkeys((*wanted, *found)) if found.get(key) != wanted.get(key)]
    return "; ".join(f"{key} {found.get(key)!r} instead of {wanted.get(key)!r}" for key in keys)


def explain(error: OSError, path: Path) -> OSError:
    """Say in words what a failed write means; keeps the class and the errno."""
    reasons = {
        errno.ENOSPC: "the disk is full; free some space and run again, what is complete is kept",
        errno.EDQUOT: "the disk quota is used up; free some space and run again, what is complete is kept",
        errno.EFBIG: "the file is larger than this disk or ulimit allows; choose another folder",
        errno.EACCES: "no permission to write here; choose another folder",
        errno.EROFS: "this file system is read-only; choose another folder",
        errno.EEXIST: "a part of this path is a file, not a folder; choose another name",
        errno.EISDIR: "it is a folder; choose another name",
        errno.ENOTDIR: "a part of this path is a file, not a folder; choose another name",
    }
    if error.errno not in reasons:
        return error
    return type(error)(error.errno, f"cannot write: {reasons[error.errno]}", str(path))


@functools.cache
def _machine() -> str:
    """Six digits that stand for this machine and, in a container, its own process numbers."""
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    return hashlib.sha256(f"{platform.node()} {namespace}".encode()).hexdigest()[:6]


def _sweep(folder: Path) -> None:
    """Delete the temporary files of writers of this machine that are no longer alive; once a process and folder."""
    if os.name != "posix" or folder in _swept:
        return
    _swept.add(folder)
    ours = re.compile(rf"\.{_machine()}-(\d+)-[0-9a-f]{{8}}\.partial(\..*)?")
    for entry in os.scandir(folder):
        if (match := ours.fullmatch(entry.name)) and not _alive(int(match[1])):
            with contextlib.suppress(OSError):
                os.unlink(entry.path)


def _alive(pid: int) -> bool:
    """Whether a process of this number runs."""
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False
    except (OverflowError, PermissionError):
        return True
