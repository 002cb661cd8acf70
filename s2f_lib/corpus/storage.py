"""Where a corpus lies: a folder of this machine, or an address that fsspec reaches (``s3://``, ``gs://``, ``memory://``).

`resolve` turns what a user gave into a `pathlib.Path` or an `Address`; an `Address` has the few methods of a Path that
a corpus needs, so that most code does not ask which it has. What is written gets its name when it is whole, in both.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from s2f_lib import io

PARTIAL = (".*.partial*", "*/.*.partial*")  # half-written files that a killed run left
COLLAPSED = re.compile(r"[a-z][a-z0-9+.:]+:/[^/]")  # what pathlib makes of an address


@dataclass(frozen=True)
class Address:
    """A file or folder that fsspec reaches; credentials are fsspec's business (its settings file, the environment)."""

    url: str

    def __str__(self) -> str:
        return self.url

    def __truediv__(self, name: str) -> Address:
        return Address(f"{self.url}/{name}")

    def _reach(self) -> tuple:
        """The file system and the name in it; nothing is remembered, since other processes write there too."""
        from fsspec.core import url_to_fs

        system, name = url_to_fs(self.url)
        system.invalidate_cache()
        return system, name

    def open(self, mode: str = "rb", **options) -> IO:
        """As `pathlib.Path.open`; folders on the way are made when writing."""
        system, name = self._reach()
        if "w" in mode:
            system.makedirs(name.rpartition("/")[0], exist_ok=True)
        return system.open(name, mode, **options)

    def exists(self) -> bool:
        """Whether there is a file or folder."""
        system, name = self._reach()
        return system.exists(name)

    def glob(self, pattern: str) -> Iterator[Address]:
        """Files whose names match, sorted."""
        system, name = self._reach()
        for found in sorted(system.glob(f"{name}/{pattern}")):
            if system.isfile(found):
                yield Address(f"{self.url}{found.removeprefix(name)}")

    def read_text(self, encoding: str = "utf-8") -> str:
        """Content of a text file."""
        with self.open("r", encoding=encoding) as file:
            return file.read()

    def unlink(self) -> None:
        """Delete a file."""
        system, name = self._reach()
        system.rm_file(name)

    def rename(self, target: Address) -> None:
        """Give a file another name in the same file system; one that has it is replaced."""
        system, name = self._reach()
        system.mv(name, target._reach()[1])


PathLike = str | Path | Address  # what a caller may give
Location = Path | Address  # what `resolve` makes of it


def resolve(name: PathLike) -> Location:
    """A folder or file by its path or address; ``file://`` is a path.

    >>> resolve("memory://corpora/mine/") / "corpus.json"
    Address(url='memory://corpora/mine/corpus.json')
    >>> resolve("file:///data/mine") == Path("/data/mine")
    True

    Raises ValueError if it is an address in the form of a Path, which has lost a slash, or an address of nothing.
    """
    if isinstance(name, Address):
        return name
    if COLLAPSED.match(str(name)):
        raise ValueError(f"{str(name)!r} is an address that was made a Path and lost a slash; pass it as text")
    if isinstance(name, Path) or "://" not in name:
        return Path(name)
    url = name.rstrip("/")
    if not name.partition("://")[2].strip("/"):
        raise ValueError(f"{name!r} names no folder; write it like s3://bucket/folder")
    if url.startswith("file://"):
        return Path(url.removeprefix("file://"))
    return Address(url)


@contextlib.contextmanager
def atomic_write(path: PathLike, mode: str = "wb", **options) -> Iterator[IO]:
    """`s2f_lib.io.atomic_write` for paths and addresses: the file appears under its name only when it is whole.

    At an address it is written under another name and then renamed there; if that fails, nothing stays.

    Raises OSError if it cannot be written or the disk is full; the message says which, and where.
    """
    path = resolve(path)
    if isinstance(path, Path):
        with io.atomic_write(path, mode, **options) as file:
            yield file
        return
    folder, _, name = path.url.rpartition("/")
    partial = Address(f"{folder}/.{secrets.token_hex(4)}.partial{Path(name).suffix}")
    if mode == "w":
        options.setdefault("encoding", "utf-8")
    try:
        with partial.open(mode, **options) as file:
            yield file
        partial.rename(path)
    except OSError as error:
        raise io.explain(error, path) from error
    finally:
        if partial.exists():
            partial.unlink()


def local(path: PathLike) -> BinaryIO:
    """Open a file for random access; from an address it is fetched, into a temporary file that goes when closed."""
    path = resolve(path)
    if isinstance(path, Path):
        return open(path, "rb")
    copy = tempfile.TemporaryFile(prefix="s2f-")  # noqa: SIM115  (closed by who asked for it)
    with path.open("rb") as file:
        shutil.copyfileobj(file, copy)
    copy.seek(0)
    return copy


def measure(path: PathLike) -> dict[str, object]:
    """Size and checksum of a file: {"bytes": int, "sha256": 64 hexadecimal digits}."""
    with resolve(path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"bytes": file.seek(0, os.SEEK_END), "sha256": digest}


def lock(folder: Path) -> contextlib.AbstractContextManager:
    """Keep a second run out of a folder (`io.BusyError`); the lock goes with this process, however it ends."""
    return io.locked(folder / "manifest.csv", wait=False, busy="another run is at work in this folder")


def remove(folder: PathLike, patterns: Sequence[str]) -> None:
    """Delete files (never folders, never through links) that match; what is not there is no error."""
    for pattern in patterns:
        for path in list(resolve(folder).glob(pattern)):
            if isinstance(path, Address) or path.is_file() or path.is_symlink():
                path.unlink()


@contextlib.contextmanager
def claimed(
    folder: Location,
    note: str,
    made_from: dict,
    outputs: Sequence[str] = (),
    overwrite: bool = False,
    passing: Container[str] = (),
) -> Iterator[None]:
    """Work alone in a folder that is empty, or that holds what was made from the same; at an address nothing is locked.

    Half-written files go when the work begins, and again when it is done: workers of a run that was killed may outlive
    it for a moment. What all was `made_from` stays in the file `note`; names in `passing` decide nothing, although
    older versions noted them. With `overwrite` the manifest and what matches `outputs` is deleted first.

    Raises ValueError or io.BusyError if the folder holds something else, or another run is at work in it.
    """
    wanted, path = json.loads(json.dumps(made_from)), folder / note
    with lock(folder) if isinstance(folder, Path) else contextlib.nullcontext():
        if overwrite:
            remove(folder, (note, "manifest.csv", "corpus.json", *outputs))
        if path.exists():
            found = {key: value for key, value in _flat(io.read_json(path)).items() if key not in passing}
            if told := io.differences(found, _flat(wanted)):
                raise ValueError(f"{folder} holds something else ({told}); choose another folder or --overwrite")
        elif (folder / "manifest.csv").exists():
            raise ValueError(f"{folder} holds something else already (manifest.csv); choose another folder")
        remove(folder, PARTIAL)
        with atomic_write(path, "w") as file:
            json.dump(wanted, file, indent=1)
        yield
        remove(folder, PARTIAL)


def _flat(note: dict) -> dict:
    settings = note.get("settings", {})
    return {**note, **(settings if isinstance(settings, dict) else {}), "settings": None}
