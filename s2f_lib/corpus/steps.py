"""What every step of making a corpus does alike: go on where it stopped, account for every clip, lose nothing.

A step reads the manifest of the folder before it and writes one of its own. Clips that an earlier step lost stay in
the list with the step that lost them, so the last manifest holds the whole funnel and its counts add up to the first
list. While a step runs, finished clips go into ``journal.jsonl``, a line each; a line that a kill cut in half is
dropped.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from s2f_lib import io
from s2f_lib.audio import AudioError
from s2f_lib.corpus import engine, manifest

__all__ = ["Step", "attempt", "inside", "run"]

Row = dict[str, object]
FATAL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENOMEM)
REFUSED = (errno.EACCES, errno.EPERM)  # fatal where something is written; of a clip that cannot be read, its own fault


@dataclass(frozen=True)
class Step:
    """One step: its name, what it does with a few clips, and the settings that decide what comes out."""

    name: str
    work: Callable[[tuple], list[Row]]  # (folder, settings, rows) -> the rows, with what became of them
    settings: Mapping[str, object] = field(default_factory=dict)
    outputs: Sequence[str] = ()  # patterns of the files it writes; deleted by --overwrite


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
) -> list[Row]:
    """Run a step over the clips that are still "ok", or go on with it.

    Parameters
    ----------
    step : Step
    rows : iterable of dict
        Manifest of the step before.
    folder : str or Path
        Where this step writes.
    group : callable, optional
        Which clips are worked on together (all of one video, a batch for the GPU); by default each alone.
    jobs, scheduler
        See `engine.run`.
    limit : int, optional
        Try at most about so many clips now; the others stay "waiting".
    overwrite : bool
        Begin anew.
    progress : bool

    Returns
    -------
    list of dict
        The manifest, which is also written to ``manifest.csv``.

    Raises
    ------
    ValueError
        If the folder holds this step with other settings.
    OSError
        If the disk is full or the folder cannot be written; finished clips are kept.
    """
    folder, rows = Path(folder), list(rows)
    with engine.lock(folder):
        _prepare(step, folder, overwrite)
        done = _read_journal(folder / "journal.jsonl")
        todo = [row for row in rows if row["status"] == "ok" and row["clip_id"] not in done][:limit]
        batches = group(todo) if group else [[row] for row in todo]
        tasks = [(str(folder), dict(step.settings), batch) for batch in batches]
        try:
            with open(folder / "journal.jsonl", "a", encoding="utf-8") as journal:
                results = engine.run(step.work, tasks, jobs=jobs, scheduler=scheduler, progress=progress, unit="task")
                for place, result in results:
                    _account(batches[place], result)
                    journal.write("".join(json.dumps(row) + "\n" for row in result))
                    journal.flush()
                    os.fsync(journal.fileno())
                    done.update({row["clip_id"]: row for row in result})
        except OSError as error:
            raise io.explain(error, folder) from error
        engine.remove_partial(folder)
        final = [_final(step, row, done) for row in rows]
        manifest.write(folder / "manifest.csv", final)
    return final


def attempt(work: Callable[[Row], Row], row: Row) -> Row:
    """Do something with a clip; what is wrong with the clip becomes its reason, what is wrong with the disk is raised.

    `work` gives the row back with what it adds, or raises ValueError (unusable clip) or OSError (unreadable file).
    """
    try:
        return {**row, **work(row), "status": "ok", "reason": ""}
    except AudioError as error:
        return {**row, "status": "skipped", "reason": getattr(error, "reason", "unreadable"), "detail": _short(error)}
    except ValueError as error:
        return {**row, "status": "skipped", "reason": getattr(error, "reason", "unusable"), "detail": _short(error)}
    except OSError as error:
        if error.errno in FATAL or (error.errno in REFUSED and "cannot write" in str(error)):  # in the words of `io`
            raise
        return {**row, "status": "failed", "reason": "file error", "detail": _short(error)}


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


def _prepare(step: Step, folder: Path, overwrite: bool) -> None:
    """Take possession of the folder, or check that it is ours."""
    note = folder / "step.json"
    wanted = json.loads(json.dumps({"step": step.name, "settings": dict(step.settings)}))
    if overwrite:
        engine.remove(folder, ("step.json", "journal.jsonl", "manifest.csv", "corpus.json", *step.outputs))
    if note.exists():
        found = json.loads(note.read_text(encoding="utf-8"))
        if found != wanted:
            raise ValueError(
                f"{folder} holds {found.get('step')!r} with the settings {found.get('settings')}, not {step.name!r} "
                f"with {wanted['settings']}; choose another folder or --overwrite"
            )
    elif (folder / "manifest.csv").exists():
        raise ValueError(f"{folder} holds something else already (manifest.csv); choose another folder")
    engine.remove_partial(folder)
    with io.atomic_write(note, "w") as file:
        json.dump(wanted, file, indent=1)


def _read_journal(path: Path) -> dict[str, Row]:
    """Finished clips; a half-written last line is cut off."""
    if not path.exists():
        return {}
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) != len(data):
        with open(path, "r+b") as file:
            file.truncate(len(whole))
    rows = [json.loads(line) for line in whole.splitlines()]
    return {row["clip_id"]: row for row in rows}


def _account(batch: list[Row], result: list[Row]) -> None:
    """Every clip that went in must come out, once."""
    if [row["clip_id"] for row in batch] != [row["clip_id"] for row in result]:
        raise RuntimeError(f"a task was given {len(batch)} clips and gave back {len(result)} others; this is a bug")


def _final(step: Step, row: Row, done: Mapping[str, Row]) -> Row:
    """A clip's line in the manifest of this step."""
    if row["status"] != "ok":
        return {"lost_at": "", **row}
    made = done.get(row["clip_id"])
    if made is None:
        return {"lost_at": "", **row, "status": "waiting", "reason": "not tried yet"}
    return {**made, "lost_at": "" if made["status"] == "ok" else step.name}


def _short(error: Exception) -> str:
    """First line of an error, without the folder, for the manifest."""
    return str(error).splitlines()[0][-160:] if str(error) else type(error).__name__
