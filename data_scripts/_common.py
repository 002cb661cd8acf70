"""What all steps share: their options, their errors, and their look at the disk."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from s2f_lib.cli import guarded
from s2f_lib.corpus import storage

__all__ = [
    "check_space",
    "cluster",
    "ending",
    "folder",
    "guarded",
    "megabytes",
    "parser",
    "place",
    "positive",
    "worker_options",
]


def parser(
    step: str, description: str, *, needs_input: bool = True, addresses: bool = False
) -> argparse.ArgumentParser:
    """A parser with the options of every step: folder in, folder out, --limit --jobs --dry-run --overwrite.

    With `addresses`, the folder out may be one that fsspec reaches.
    """
    made = argparse.ArgumentParser(
        prog=f"s2f corpus {step}", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if needs_input:
        made.add_argument("source", type=folder, help="folder (or file) to read")
    kind = " or address (s3://bucket/folder)" if addresses else ""
    made.add_argument("out", type=place if addresses else folder, help=f"folder{kind} to write; made if missing")
    made.add_argument(
        "--limit", type=positive, default=None, help="stop after about so many clips; a later call goes on"
    )
    made.add_argument("--jobs", type=positive, default=1, help="processes on this machine (default %(default)s)")
    made.add_argument("--dry-run", action="store_true", help="say what would be done and write nothing")
    made.add_argument("--overwrite", action="store_true", help="throw away what the out folder holds and begin anew")
    made.add_argument("--quiet", action="store_true", help="no progress bar")
    return made


def cluster(made: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add --scheduler, for steps that may run on many machines."""
    made.add_argument(
        "--scheduler",
        default=None,
        help="address of a Dask cluster (tcp://host:8786); by default --jobs Dask processes on this machine",
    )
    return made


def worker_options(options: argparse.Namespace) -> dict:
    """What `s2f_lib.corpus.steps.run` wants to know of the command line."""
    scheduler = options.scheduler or ("dask" if options.jobs > 1 else None)
    return {
        "jobs": options.jobs,
        "scheduler": scheduler,
        "limit": options.limit,
        "overwrite": options.overwrite,
        "progress": not options.quiet,
    }


def ending(verb: str, rows: list[dict], folder: storage.Location) -> int:
    """Print the last line, whose counts add up; the exit status is not 0 when nothing was made."""
    from s2f_lib.corpus import manifest

    print(f"{manifest.summary_line(verb, rows)} -> {folder}/manifest.csv")
    return 0 if any(row["status"] == "ok" for row in rows) else 1


def place(text: str) -> storage.Location:
    """A path of this machine, or an address that fsspec reaches."""
    try:
        return storage.resolve(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def folder(text: str) -> Path:
    """A path of this machine; ``file://`` is one, too."""
    path = place(text)
    if not isinstance(path, Path):
        raise argparse.ArgumentTypeError(
            f"{text} is an address, and this command wants a folder of this machine; build_shards writes to addresses"
        )
    return path


def positive(text: str) -> int:
    """A whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def check_space(folder: storage.Location, wanted: float) -> None:
    """Raise OSError if the disk has less free space than will be needed.

    An address is not asked, nor a folder that an earlier call has begun to fill: nobody knows how much is missing.
    """
    if not isinstance(folder, Path) or (folder.is_dir() and any(folder.iterdir())):
        return
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < wanted:
        raise OSError(
            f"about {megabytes(wanted)} are needed and {megabytes(free)} are free on the disk of {existing}; "
            "choose another folder, or make less"
        )


def megabytes(size: float) -> str:
    """Bytes for people.

    >>> megabytes(2_600_000), megabytes(3.3e11)
    ('3 MB', '330.0 GB')
    """
    return f"{size / 1e6:.0f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"
