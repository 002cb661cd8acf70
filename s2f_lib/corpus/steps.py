"""What every step of making a corpus does alike: go on where it stopped, account for every clip, lose nothing.

A step reads the manifest of the folder before it and writes one of its own. Clips that an earlier step lost stay in
the list with the step that lost them, so the last manifest holds the whole funnel and its counts add up to the first
list. While a step runs, clips that were tried go into ``journal.jsonl``, a line each; a line that a kill cut in half is
dropped. What is "ok" or "skipped" is settled. What "failed", or is "waiting" because a host refused, is tried again by
the next call.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from s2f_lib import io
from s2f_lib.audio import AudioError
from s2f_lib.corpus import manifest, storage, workers
from s2f_lib.corpus.manifest import Row

FATAL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE)
AGAIN = ("waiting", "failed")  # tried again by the next call
HOST = "host "  # begins reasons that pass; older journals call such clips "skipped"
UNSETTLED = ("damaged", "not a video")  # reasons that may have been a mistake
WINDOW = 10_000  # clips among which those of one group are looked for


class Lost(ValueError):
    """A clip that cannot be had; `reason` is the short word for the manifest, `status` says whether it may pass."""

    def __init__(self, reason: str, detail: str):
        super().__init__(detail)
        self.reason = reason
        self.status = "waiting" if reason.startswith(HOST) else "failed" if reason in UNSETTLED else "skipped"


class Stopped(RuntimeError):
    """A step gave up before its end; what is complete is kept, and the manifest says so."""


@dataclass(frozen=True)
class Step:
    """One step: its name, what it does with a few clips, and the settings that decide what comes out."""

    name: str
    work: Callable[[tuple], list[Row]]  # (folder, settings and options, rows) -> the rows, with what became of them
    settings: Mapping[str, object] = field(default_factory=dict)  # the identity of what is made
    outputs: Sequence[str] = ()  # patterns of the files it writes; deleted by --overwrite
    options: Mapping[str, object] = field(default_factory=dict)  # how it is made: cookies, waiting, time-outs
    isolated: float | None = None  # s; see `workers.run`
    patience: int | None = None  # groups in a row that may be left waiting before the step stops


def run(
    step: Step,
    rows: Iterable[Row],
    folder: str | Path,
    *,
    group: Callable[[list[Row]], list[list[Row]]] | None = None,
    jobs: int = 1,
    scheduler: str | None = None,
    limit: int | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> manifest.Table:
    """Run a step over the clips that are still "ok", or go on with it.

    Parameters
    ----------
    step : Step
    rows : list, manifest.Table or another iterable that may be gone through several times
        Manifest of the step before.
    folder : str or Path
        Where this step writes.
    group : callable, optional
        Which clips are worked on together (all of one video, a batch for the GPU); by default each alone.
    jobs, scheduler
        See `workers.run`.
    limit : int, optional
        Try at most about so many clips now; the others stay "waiting".

    Raises
    ------
    ValueError
        If the folder holds this step with other settings.
    OSError
        If the disk is full, the folder cannot be written, or another run is at work in it; finished clips are kept.
    Stopped
        If the host refused `step.patience` groups in a row.
    """
    folder, rows = Path(folder), list(rows) if iter(rows) is rows else rows
    made_from = {"step": step.name, "settings": dict(step.settings)}
    try:
        with (
            storage.claimed(folder, "step.json", made_from, ("journal.jsonl", *step.outputs), overwrite, step.options),
            Journal(folder / "journal.jsonl") as journal,
        ):
            todo = (row for row in rows if row["status"] == "ok" and not journal.settled(row["clip_id"]))
            tasks = _tasks(step, folder, itertools.islice(todo, limit), group)
            stopped = _work(step, tasks, journal, {"jobs": jobs, "scheduler": scheduler, "progress": progress})
            manifest.write(folder / "manifest.csv", _Final(step, rows, journal))
    except OSError as error:
        raise io.explain(error, folder) from error
    if stopped:
        raise Stopped(stopped)
    return manifest.Table(folder / "manifest.csv")


def _tasks(step: Step, folder: Path, todo: Iterator[Row], group: Callable | None) -> Iterator[tuple]:
    """Groups of clips, formed among `WINDOW` of them at a time."""
    while window := list(itertools.islice(todo, WINDOW)):
        for batch in group(window) if group else [[row] for row in window]:
            yield str(folder), {**step.settings, **step.options}, batch


def _work(step: Step, tasks: Iterator[tuple], journal: Journal, options: dict) -> str | None:
    """Do the tasks and note what became of each clip; gives a sentence if it stopped early."""
    refused = 0
    results = workers.run(step.work, tasks, unit="task", isolated=step.isolated, **options)
    for task, result in results:
        batch = task[2]
        if isinstance(result, workers.WorkerDied):
            result = _one_by_one(step, task, result)
        if [row["clip_id"] for row in batch] != [row["clip_id"] for row in result]:
            raise RuntimeError(f"a task was given {len(batch)} clips and gave back {len(result)} others; this is a bug")
        journal.add(result)
        refused = refused + 1 if all(row["status"] == "waiting" for row in result) else 0
        if step.patience and refused >= step.patience:
            results.close()
            last = f"{result[-1]['reason']}: {result[-1].get('detail', '')}"
            return (
                f"{refused} requests in a row were refused (the last: {last[:120]}); stopped, what is complete is "
                "kept. Wait a while, or try --cookies or a longer --wait; the same command goes on"
            )
    return None


def _one_by_one(step: Step, task: tuple, died: workers.WorkerDied) -> list[Row]:
    """Clips of a task that ended its process: each in a process of its own, the guilty one alone is lost."""
    folder, settings, batch = task
    if len(batch) == 1:
        return [{**batch[0], "status": "failed", "reason": "reader crashed", "detail": str(died)}]
    alone = [(folder, settings, [row]) for row in batch]
    results = workers.run(step.work, alone, isolated=step.isolated, progress=False)
    made = {one[2][0]["clip_id"]: (one, result) for one, result in results}
    rows = [made[row["clip_id"]] for row in batch]
    return [r[0] if isinstance(r, list) else _one_by_one(step, one, r)[0] for one, r in rows]


def attempt(work: Callable[[Row], Row], row: Row, roots: Sequence[object] = ()) -> Row:
    """Do something with a clip; what is wrong with the clip becomes its reason, what is wrong with the disk is raised.

    `work` gives what it adds to the row, or raises: a ValueError (the clip cannot be used: "skipped", or as its
    `status` says) or anything else ("failed"). `roots` are folders whose names stay out of the manifest.
    """
    try:
        return {**row, **work(row), "status": "ok", "reason": ""}
    except ValueError as error:
        usual = "unreadable" if isinstance(error, AudioError) else "unusable"
        status, reason = getattr(error, "status", "skipped"), getattr(error, "reason", usual)
        if not isinstance(reason, str) or isinstance(error, UnicodeError):
            reason = usual
        return {**row, "status": status, "reason": reason, "detail": short(error, roots)}
    except OSError as error:
        if error.errno in FATAL or "cannot write" in str(error):  # in the words of `io.explain`
            raise
        return {**row, "status": "failed", "reason": "file error", "detail": short(error, roots)}
    except Exception as error:
        told = f"{type(error).__name__}: {short(error, roots)}"
        return {**row, "status": "failed", "reason": "unexpected error", "detail": told[:200]}


def short(error: Exception, roots: Sequence[object] = ()) -> str:
    """First line of an error for a manifest: no folder of this machine, no address in memory, no query of a link.

    >>> short(ValueError("/data/my films/x.mkv is empty"), ["/data/my films"])
    'x.mkv is empty'
    >>> short(OSError("no answer from https://host.example/a/b?key=secret at <object at 0x7f3a21c0>"))
    'no answer from host.example at <object>'
    """
    text = (str(error).strip().splitlines() or [type(error).__name__])[0]
    for root in sorted({str(root).rstrip("/\\") for root in roots if str(root)}, key=len, reverse=True):
        text = text.replace(root + os.sep, "").replace(root, "the folder")
    text = re.sub(r"https?://([^/\s]+)\S*", r"\1", text)
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", text)
    text = re.sub(r"(?<![\w.])(?:[A-Za-z]:)?[/\\](?:[^/\\\s'\":]+[/\\])+", "", text)
    return text[:160]


def inside(root: str | Path, name: str) -> Path:
    """Path of a file below a folder, or ValueError if it is not there really: ``..``, absolute names, links.

    >>> inside("/tmp", "../etc/passwd")
    Traceback (most recent call last):
    ...
    ValueError: '../etc/passwd' leads out of its folder
    """
    root = Path(root).resolve()
    try:
        path = (root / name).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise ValueError(f"{name[:80]!r} is no usable file name: {error}") from error
    if "\0" in name or max(map(len, name.split("/"))) > 255:
        raise ValueError(f"{name[:80]!r} is no usable file name")
    if not path.is_relative_to(root):
        raise ValueError(f"{name[:80]!r} leads out of its folder")
    return path


class Journal:
    """What became of each clip that was tried, on the disk; in memory is only where its last line begins."""

    def __init__(self, path: Path):
        self.path = path
        self._lines: dict[str, int] = {}  # clip -> twice where its last line begins, and 1 more if it is settled

    def __enter__(self) -> Journal:
        self.file = open(self.path, "a+b")
        self.file.seek(0)
        begin = 0
        for line in self.file:
            if not line.endswith(b"\n"):
                self.file.truncate(begin)  # a kill cut it in half
                break
            with contextlib.suppress(ValueError, KeyError, TypeError):  # a damaged line: its clip is tried again
                self._note(json.loads(line), begin)
            begin += len(line)
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def _note(self, row: Row, begin: int) -> None:
        again = row["status"] in AGAIN or str(row["reason"]).startswith(HOST)
        self._lines[row["clip_id"]] = 2 * begin + (not again)

    def settled(self, clip_id: str) -> bool:
        """Whether the clip need not be tried again."""
        return self._lines.get(clip_id, 0) % 2 == 1

    def add(self, rows: list[Row]) -> None:
        """Write lines; they are on the disk when this returns."""
        begin = self.file.seek(0, os.SEEK_END)
        for row in rows:
            line = json.dumps(row).encode() + b"\n"
            self.file.write(line)
            self._note(row, begin)
            begin += len(line)
        self.file.flush()
        os.fsync(self.file.fileno())

    def __getitem__(self, clip_id: str) -> Row | None:
        """The last line of a clip; None if it was not tried."""
        if clip_id not in self._lines:
            return None
        self.file.seek(self._lines[clip_id] // 2)
        return json.loads(self.file.readline())


@dataclass
class _Final:
    """A step's manifest, as often as it is gone through."""

    step: Step
    rows: Iterable[Row]
    journal: Journal

    def __iter__(self) -> Iterator[Row]:
        for row in self.rows:
            if row["status"] != "ok":
                yield {"lost_at": "", **row}
            elif (tried := self.journal[row["clip_id"]]) is None:
                yield {"lost_at": "", **row, "status": "waiting", "reason": "not tried yet"}
            else:
                yield {**tried, "lost_at": "" if tried["status"] in ("ok", "waiting") else self.step.name}
