"""Fetch the authors' public examples: only the folders needed, resumable, counted, listed in a manifest.

The pictures and voices are of real people and come without a licence. They are fetched to the reader's own disk,
measured there, and never passed on: nothing but aggregate numbers leaves that folder.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import os
import shutil
import subprocess
import tarfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from s2f_lib import io
from s2f_lib.published import layout

REPOSITORY = "https://github.com/speech2face/speech2face.github.io"
ARCHIVE = "https://codeload.github.com/speech2face/speech2face.github.io/tar.gz/HEAD"
MEGABYTES = {"avspeech": 210, "voxceleb": 74}  # on disk: pictures and, most of it, sound
EXTRAS = ("figures/landmark", "supplemental/retrieve/index.html")  # craniofacial statistics; the true ranks
ARCHIVE_NAME = "speech2face.github.io.tar.gz"
FILES = ("manifest.csv", ARCHIVE_NAME, f"{ARCHIVE_NAME}.part", f"{ARCHIVE_NAME}.part.json")  # left beside the folders
DAMAGED = (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError, OverflowError)  # of bad archives
STALL = 60  # seconds with hardly a byte after which a git server is left
UNPACKED = (100, 10**8)  # an archive may unpack to so many times its size, and so many bytes more


class FetchError(RuntimeError):
    """The examples could not be fetched; the message says why and what to try."""


@dataclass(frozen=True)
class Plan:
    """What will be fetched: folders and single files of the authors' repository, and the disk it takes."""

    parts: tuple[str, ...]
    paths: tuple[str, ...]
    megabytes: int

    def __str__(self) -> str:
        return f"{' and '.join(self.parts)}: {len(self.paths)} folders, about {self.megabytes} MB on disk"


def plan(parts: Sequence[str] = tuple(layout.PARTS)) -> Plan:
    """Which folders of the repository are wanted, and how large they are."""
    for part in parts:
        if part not in layout.PARTS:
            raise ValueError(f"there is no part {part!r}; choose from {', '.join(layout.PARTS)}")
    names = [*layout.KINDS.values(), layout.SOUND_FOLDER]
    paths = [f"{layout.PARTS[part].upstream}/{name}" for part in parts for name in names]
    return Plan(tuple(parts), (*paths, *EXTRAS), sum(MEGABYTES[part] for part in parts))


def check_disk(folder: Path, megabytes: int) -> None:
    """Refuse to start when the examples would not fit; raises FetchError."""
    there = folder
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free // 1_000_000
    if free < 2 * megabytes:  # the clone keeps a packed copy beside the files
        raise FetchError(f"{folder} needs about {2 * megabytes} MB while fetching, {free} MB are free; free some space")


def check_folder(folder: Path) -> None:
    """Refuse a folder in which something lies that fetching does not leave there; hidden files do not count.

    Raises
    ------
    FetchError
        The message names what lies there.
    """
    ours = {*layout.PARTS, *FILES, "figures", "supplemental"}
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    strange = [name for name in names if name not in ours and not name.startswith(".")]
    if strange:
        raise FetchError(f"{folder} holds something else already ({strange[0]}); choose another folder")


def clear(folder: Path, source: str = REPOSITORY, keep: Iterable[Path] = ()) -> None:
    """Delete what fetching left in a folder, and nothing else; of a link only the link.

    Parameters
    ----------
    folder : Path
    source : str
        Where the clone in it may come from, besides the authors' address.
    keep : iterable of Path
        Folders that are still needed; they must lie elsewhere.

    Raises
    ------
    FetchError
        If the folder holds something else, or one that is needed. Nothing is deleted then.
    """
    check_folder(folder)
    if (folder / ".git").exists() and _origin(folder) not in (REPOSITORY, source):
        raise FetchError(f"{folder} is a git repository of something else; choose another folder")
    here = folder.resolve()
    for there in map(Path.resolve, keep):
        if there.is_relative_to(here) or here.is_relative_to(there):
            raise FetchError(f"{folder} cannot be emptied, {there} is needed; choose another folder to write")
    for name in (*layout.PARTS, "figures", "supplemental"):
        if (folder / name).is_symlink():
            (folder / name).unlink()
    for name in (".git", *FILES, *(spec.upstream for spec in layout.PARTS.values()), *EXTRAS):
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)
        else:
            (folder / name).unlink(missing_ok=True)
    for name in ("figures", "supplemental/retrieve", "supplemental"):
        with contextlib.suppress(OSError):  # not there, or not empty: then something else is in it
            (folder / name).rmdir()


def by_git(folder: Path, wanted: Plan, repository: str = REPOSITORY, say: Callable[[str], None] = print) -> None:
    """Shallow, sparse clone, one folder after the other, so that a second call continues where one was cut off.

    Raises
    ------
    FetchError
        If git is missing, the network is down or the repository is not there (git's own words are in the message), or
        the folder holds something else, which a checkout would replace.
    """
    if shutil.which("git") is None:
        raise FetchError("git is not installed; use --method archive")
    if (folder / ".git").exists():
        if _origin(folder) != repository:
            raise FetchError(f"{folder} is a git repository of something else than {repository}; choose another folder")
    else:
        check_folder(folder)
        folder.mkdir(parents=True, exist_ok=True)
        _git(folder, "init", "--quiet")
        _git(folder, "remote", "add", "origin", repository)
    _git(folder, "config", "core.sparseCheckout", "true")
    _git(folder, "config", "core.longpaths", "true")
    _git(folder, "fetch", "--quiet", "--depth", "1", "--filter=blob:none", "origin", "HEAD")
    done: list[str] = []
    for number, path in enumerate(wanted.paths, 1):
        done.append(f"/{path}")
        _git(folder, "sparse-checkout", "set", "--no-cone", *done)
        _git(folder, "checkout", "--quiet", "--force", "--detach", "FETCH_HEAD")
        say(f"[{number}/{len(wanted.paths)}] {path}: {_count(folder / path)} files")


def by_archive(folder: Path, wanted: Plan, url: str = ARCHIVE, say: Callable[[str], None] = print) -> None:
    """Download the repository as one archive (larger) and take out the folders wanted; for machines without git.

    Raises
    ------
    FetchError
        If the network is down, the address is wrong, the archive is not a whole tar.gz (it is deleted), or the folder
        holds something else.
    OSError
        If the disk is full or the folder cannot be written; the archive is kept.
    """
    check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / ARCHIVE_NAME
    try:
        io.download(url, archive)
    except io.DownloadError as error:
        raise FetchError(f"{error}; with git installed, --method git fetches less") from error
    times, more = UNPACKED
    try:
        with gzip.open(archive) as packed:
            stream = _Bounded(packed, times * archive.stat().st_size + more)
            with tarfile.open(fileobj=stream, mode="r|") as tar:  # a stream: no header can send the reader back
                taken = sum(_take(tar, member, folder, wanted) for member in tar)
    except DAMAGED as error:
        archive.unlink()
        raise FetchError(f"the archive from {url} is damaged ({error}); it was deleted, run again") from error
    archive.unlink()
    say(f"{taken} files taken from the archive")


class _Bounded:
    """A file that ends in an error when more is read from it than its archive can hold."""

    def __init__(self, file: BinaryIO, most: int):
        self.file, self.left = file, most

    def read(self, size: int = -1) -> bytes:
        """The next bytes, as those of a file."""
        data = self.file.read(min(size, 1 << 20) if size >= 0 else 1 << 20)
        self.left -= len(data)
        if self.left < 0:
            raise tarfile.ReadError("it unpacks to more than it can hold")
        return data


def find(existing: Path, parts: Sequence[str]) -> dict[str, Path]:
    """Folders of the parts that a copy on this machine holds; raises FetchError if it holds none."""
    found = {part: layout.part_folder(existing, part) for part in parts}
    found = {part: folder.resolve() for part, folder in found.items() if folder}
    if not found:
        raise FetchError(f"{existing} holds none of {', '.join(parts)} (each with a folder {layout.KINDS['true']})")
    return found


def adopt(folder: Path, existing: Path, parts: Sequence[str]) -> None:
    """Use a copy that is already on this machine: links to its parts, no second copy on disk.

    A link to another copy is replaced.

    Raises
    ------
    FetchError
        If the copy holds none of the parts, or the folder holds something else, or a part that is no link.
    """
    found = find(existing, parts)
    check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for part, target in found.items():
        link = folder / part
        if link.is_symlink() and link.readlink() != target:
            link.unlink()
        elif link.exists() and link.resolve() != target:
            raise FetchError(f"{link} is a folder of its own, not a link to {target}; choose another folder to write")
        if not link.exists():
            link.symlink_to(target, target_is_directory=True)


def check_counts(folder: Path, parts: Sequence[str]) -> list[str]:
    """How the folders differ from what was published in 2019; an empty list when they do not.

    Raises
    ------
    FetchError
        If not one whole clip is there.
    """
    differences, whole = [], 0
    for part in parts:
        expected = layout.PARTS[part].clips
        if layout.part_folder(folder, part) is None:
            differences.append(f"{part}: not there, {expected} clips expected")
            continue
        try:
            found = layout.open_part(folder, part)
        except ValueError as error:
            differences.append(f"{part}: {error}")
            continue
        whole += len(found)
        if len(found) != expected or found.incomplete:
            differences.append(found.report())
    if not whole:
        raise FetchError("no whole clip was found: " + "; ".join(differences))
    return differences


def write_manifest(folder: Path, parts: Sequence[str]) -> Path:
    """``manifest.csv``: one row per clip with part, clip, speaker, status and bytes. Stays in the reader's folder."""
    path = folder / "manifest.csv"
    with io.atomic_write(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["clip_id", "part", "speaker_id", "status", "reason", "bytes"])
        for part in parts:
            if layout.part_folder(folder, part) is None:
                continue
            found = layout.open_part(folder, part)
            for clip in found:
                size = sum(file.stat().st_size for file in (*clip.pictures.values(), clip.sound))
                writer.writerow([clip.name, part, clip.speaker, "ok", "", size])
            for name, reason in found.left_out:
                writer.writerow([name, part, "", "skipped", reason, ""])
    return path


def _git(folder: Path, *arguments: str) -> None:
    """Run git in the folder without asking for a password; FetchError with git's words when it fails."""
    patience = ["-c", "http.lowSpeedLimit=1000", "-c", f"http.lowSpeedTime={STALL}"]
    environment = os.environ | {"GIT_TERMINAL_PROMPT": "0"}
    command = ["git", *patience, "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise FetchError(
            f"git {arguments[0]} failed: {reason}; what is complete is kept, run again to continue, "
            "or try --method archive"
        )


def _origin(folder: Path) -> str:
    """Where the clone in a folder comes from; "" where it does not say so, or git is missing."""
    if shutil.which("git") is None:
        return ""
    command = ["git", "config", "--file", str(folder / ".git" / "config"), "--get", "remote.origin.url"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _take(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, wanted: Plan) -> int:
    """Write one member if it is a plain file in a folder wanted and not there yet; 1 if it is there afterwards."""
    parts = PurePosixPath(member.name).parts[1:]  # the archive's own top folder carries the commit
    path = PurePosixPath(*parts)
    inside = any(path.is_relative_to(root) for root in wanted.paths)
    if not member.isfile() or ".." in parts or not inside:
        return 0
    if member.issparse() or member.size < 0:
        raise tarfile.ReadError(f"{member.name} has holes or a negative size; none of the authors' files has")
    target = folder / path
    if not target.exists() or target.stat().st_size != member.size:
        with io.atomic_write(target) as file:
            shutil.copyfileobj(tar.extractfile(member), file)
    return 1


def _count(path: Path) -> int:
    return sum(1 for _ in path.iterdir()) if path.is_dir() else int(path.exists())
