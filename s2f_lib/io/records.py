"""Recorded results: small JSON files that say which command measured what, when, on what, at which commit."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from s2f_lib.io.files import atomic_write

__all__ = ["command_of", "current_commit", "describe_cpu", "read_record", "results_dir", "write_record"]

ROOT = Path(__file__).resolve().parents[2]  # the repository, when the library runs from a clone
NO_NUMBER = ("data", "out", "quiet", "runs", "workers")  # options that change no number of a record


def results_dir() -> Path:
    """Folder of the recorded results: ``$S2F_RESULTS``, else ``results/`` of the clone, else of the current folder."""
    if chosen := os.environ.get("S2F_RESULTS"):
        return Path(chosen)
    return (ROOT if (ROOT / "pyproject.toml").exists() else Path.cwd()) / "results"


def write_record(
    name: str,
    *,
    command: str,
    n: int,
    metrics: Mapping[str, float],
    intervals: Mapping[str, Sequence[float]] | None = None,
    seeds: Sequence[int] = (),
    seconds: float,
    device: str | None = None,
    notes: str = "",
    extra: Mapping[str, Any] | None = None,
) -> Path:
    """Write ``results/<name>.json``; only the command it names may call this.

    Parameters
    ----------
    name : str
        Lower-case letters, digits and "_".
    command : str
        What to type to measure it again.
    n : int
        Number of clips, people or pictures behind the numbers.
    metrics : mapping
        Name -> finite number.
    intervals : mapping, optional
        Name of a metric -> (low, high).
    seeds : sequence of int
        Random seeds used.
    seconds : float
        How long the command took.
    device : str, optional
        What it ran on; by default a description of this CPU.
    notes : str
        What a reader must know to judge the numbers.
    extra : mapping, optional
        Further fields by name, such as the rows of a table.

    Raises
    ------
    ValueError
        If a number is not finite, an interval belongs to no metric or is upside down, a field is empty, or one of the
        extra fields has the name of another.
    """
    intervals = dict(intervals or {})
    if not re.fullmatch(r"[a-z0-9_]+", name):
        raise ValueError(f"a record's name has lower-case letters, digits and '_' only, got {name!r}")
    if not command.strip() or not metrics:
        raise ValueError(f"record {name!r} needs its command and at least one metric")
    clean = {key: _number(value, f"metric {key!r}") for key, value in metrics.items()}
    for key, (low, high) in intervals.items():
        if key not in clean:
            raise ValueError(f"interval {key!r} of record {name!r} belongs to no metric")
        low, high = _number(low, f"interval {key!r}"), _number(high, f"interval {key!r}")
        if low > high:
            raise ValueError(f"interval {key!r} of record {name!r} is upside down: {low} > {high}")
        intervals[key] = [low, high]
    record = {
        "name": name,
        "command": command,
        "commit": current_commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "device": device or describe_cpu(),
        "seconds": round(_number(seconds, "seconds"), 2),
        "seeds": [int(seed) for seed in seeds],
        "n": int(n),
        "metrics": clean,
        "intervals": intervals,
        "notes": notes,
    }
    if taken := sorted(record.keys() & (extra or {}).keys()):
        raise ValueError(f"record {name!r} has its own {', '.join(taken)}; give the extra field another name")
    path = results_dir() / f"{name}.json"
    with atomic_write(path, "w") as file:
        json.dump(record | dict(extra or {}), file, indent=2, ensure_ascii=False, allow_nan=False)
        file.write("\n")
    return path


def command_of(
    parser: argparse.ArgumentParser,
    options: argparse.Namespace,
    *,
    always: Sequence[str] = (),
    left_out: Sequence[str] = (),
) -> str:
    """The command line that runs a program with these options again, for its record.

    Named are the options that differ from their defaults, in the order of the parser. A path stays as it was typed;
    an absolute one is told from the working folder.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Its ``prog`` is how the program is started, e.g. "python -m s2f_lib.evaluate". With sub-commands, that of the
        one in `options` is taken.
    options : argparse.Namespace
        As parsed; what the parser knows and `options` lacks is passed over.
    always : sequence of str
        Names of options that are told at their defaults too.
    left_out : sequence of str
        Names of options that change no number, beside those of `NO_NUMBER`.

    Examples
    --------
    >>> parser = argparse.ArgumentParser(prog="python -m some.program")
    >>> _ = parser.add_argument("--people", type=int, default=100)
    >>> _ = parser.add_argument("--workers", type=int, default=2)
    >>> command_of(parser, parser.parse_args(["--people", "50", "--workers", "8"]))
    'python -m some.program --people 50'
    """
    words = [parser.prog]
    for action in parser._actions:
        if isinstance(action.choices, dict):  # sub-commands
            chosen = action.choices[getattr(options, action.dest)]
            return command_of(chosen, options, always=always, left_out=left_out)
        if not hasattr(options, action.dest) or action.dest in (*NO_NUMBER, *left_out):
            continue
        value = getattr(options, action.dest)
        if value != action.default or action.dest in always:
            words += action.option_strings[-1:]
            if action.nargs != 0:  # a flag stands alone
                words += [_word(one) for one in (value if isinstance(value, list) else [value])]
    return " ".join(words)


def _word(value: object) -> str:
    """One argument of a command as it is typed."""
    text = str(value)
    return shlex.quote(os.path.relpath(text) if os.path.isabs(text) else text)


def read_record(name: str) -> dict | None:
    """Read ``results/<name>.json``; None means "not run yet"."""
    path = results_dir() / f"{name}.json"
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not a record: {error}; run its command again") from error


def _number(value: float, what: str) -> float | int:
    """A finite plain number, also from numpy or torch scalars."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, bool):
        return int(value)
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{what} must be a finite number, got {value!r}")
    return value


def current_commit() -> str | None:
    """Commit of the clone the library runs from, "+changes" if files differ from it, None where there is no git."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":(exclude)results")
    except (OSError, subprocess.SubprocessError):
        return None
    return head + ("+changes" if changed else "")


def _git(*arguments: str) -> str:
    """Output of a git command in the clone."""
    done = subprocess.run(("git", *arguments), cwd=ROOT, capture_output=True, text=True, check=True, timeout=20)
    return done.stdout.strip()


def describe_cpu() -> str:
    """Cores and kind of this processor, without the machine's name."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    model = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists() and (found := re.search(r"model name\s*:\s*(.+)", info.read_text())):
        model = found.group(1).strip()
    return f"CPU, {cores} cores, {model}"
