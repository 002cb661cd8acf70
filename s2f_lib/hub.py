"""Weights by name: what there is, where it comes from, under which licence, and whether it is the right file.

Each entry is a small JSON file in ``s2f_lib/weights``. It names a *builder*, a function of another room that turns the
checked file into a network, so that this module needs to know none of them. A file that does not match its SHA-256 is
never loaded. Where the publisher gives none, that of the first file from which a network could be built is remembered.
"""

import importlib
import importlib.util
import os
from pathlib import Path
from typing import Any

from s2f_lib import io

WEIGHTS = Path(__file__).resolve().parent / "weights"  # entries and the small weights that are shipped
COLUMNS = (
    *("name", "kind", "size_mb", "licence", "source", "sha256"),
    *("command", "commit", "date", "device", "record"),  # how our own weights were made
)
# What an entry may say about its weights, in the order in which it is written (the meanings are in the file); the first
# five it must say, and from "command" on it tells how our own weights were made.
FIELDS = tuple(row["field"] for row in io.files.read_table(WEIGHTS / "fields.csv"))
NEEDED = FIELDS[:5]


def load(name: str, device: str = "cpu", **options: Any) -> Any:
    """Build a network, one of those that `available` lists, with checked weights; options go to its builder.

    Raises
    ------
    KeyError
        If the name is unknown; the message lists the known ones.
    io.ChecksumError
        If the file is not the expected one.
    FileNotFoundError
        If the file is not here and may not be fetched; the message says where to get it and where to put it.
    ImportError
        If a package that the entry needs is not installed.
    """
    entry = describe(name)
    if missing := _missing_packages(entry):
        raise ImportError(f"{name!r} needs {', '.join(missing)}; pip install {' '.join(missing)}")
    module, _, function = entry["builder"].partition(":")
    builder = getattr(importlib.import_module(module), function)
    path = find(name)
    unproven = path is not None and _wanted(entry, path) is None
    try:
        network = builder(path, device, **options)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        if not unproven:
            raise
        told = f"{path} is not the {entry['kind']} {name!r} ({type(error).__name__}: {str(error).splitlines()[0]})"
        raise io.WeightFileError(f"{told}; delete it, and get it again from {entry['source']}") from error
    if unproven:
        with io.atomic_write(_note(path), "w") as file:
            file.write(io.sha256(path) + "\n")
    return network


def find(name: str) -> Path | None:
    """Path of the checked weights of an entry, fetched if need be; None for entries whose weights are in a package."""
    entry = describe(name)
    if not entry.get("file"):
        return None
    path = _present(entry) or _fetch(entry)
    _check(entry, path)
    return path


def describe(name: str) -> dict:
    """The entry of one name, as stored. KeyError if there is none; the message lists the known ones."""
    entries = _entries()
    if name not in entries:
        raise KeyError(f"no weights named {name!r}; there are {', '.join(sorted(entries)) or 'none'}")
    return entries[name]


def available() -> list[dict]:
    """All entries, with the keys of `COLUMNS` (None where one says nothing) and ``present``: whether it is here."""
    rows = []
    for _, entry in sorted(_entries().items()):
        present = not _missing_packages(entry) and (not entry.get("file") or _present(entry) is not None)
        rows.append({column: entry.get(column) for column in COLUMNS} | {"present": present})
    return rows


def check_entry(entry: dict, name: str) -> None:
    """Refuse (ValueError) an entry that says too little, or what nobody would look for; `name` is for the message."""
    wrong = [f"it lacks {key!r}" for key in NEEDED if not entry.get(key)]
    wrong += [f"{key!r} is unknown" for key in entry if key not in FIELDS]
    if wrong:
        raise ValueError(f"{name} does not describe weights: {'; '.join(wrong)}")


def _entries() -> dict[str, dict]:
    """All entries by name."""
    entries = {}
    for path in sorted(WEIGHTS.glob("*.json")):
        entry = io.read_json(path)
        check_entry(entry, path.name)
        file = entry.get("file")
        if file and Path(file).name != file:
            raise ValueError(f"{path.name}: 'file' must be a plain file name, got {file!r}")
        entries[entry["name"]] = entry
    return entries


def _missing_packages(entry: dict) -> list[str]:
    """Packages the entry needs that are not installed."""
    return [name for name in entry.get("requires", ()) if importlib.util.find_spec(name) is None]


def _cached(entry: dict) -> Path:
    """Where a fetched file of this entry lies."""
    return io.cache_dir() / "weights" / entry["file"]


def _present(entry: dict) -> Path | None:
    """The shipped or fetched file of an entry, or None."""
    return next((path for path in (WEIGHTS / entry["file"], _cached(entry)) if path.exists()), None)


def _fetch(entry: dict) -> Path:
    """Download the file of an entry into the cache."""
    target, url = _cached(entry), entry.get("url")
    if not url or os.environ.get("S2F_OFFLINE"):
        reason = "S2F_OFFLINE is set" if url else "it is not shipped and has no address to fetch it from"
        raise FileNotFoundError(
            f"the weights {entry['name']!r} are not here: {reason}. Get {entry['file']} from {entry['source']} "
            f"and put it at {target}" + (f", or make it: {entry['command']}" if entry.get("command") else "")
        )
    return io.download(url, target, entry.get("sha256"))


def _note(path: Path) -> Path:
    """Where the checksum of a file is remembered whose publisher gives none."""
    return path.with_name(path.name + ".sha256")


def _wanted(entry: dict, path: Path) -> str | None:
    """The SHA-256 that a file must have, or None where nothing is known yet."""
    return entry.get("sha256") or (_note(path).read_text().strip() if _note(path).exists() else None)


def _check(entry: dict, path: Path) -> None:
    """Refuse a file that is not the expected one; a fetched one is deleted, a shipped one left for you to restore."""
    wanted = _wanted(entry, path)
    if wanted is not None and (found := io.sha256(path)) != wanted.lower():
        shipped = path.parent == WEIGHTS
        if not shipped:
            path.unlink()
        what = "restore it with git" if shipped else "it has been deleted; load it again to fetch it anew"
        raise io.ChecksumError(
            f"{path.name} is not the file that {entry['name']!r} names: SHA-256 {found}, wanted {wanted}; {what}"
        )
