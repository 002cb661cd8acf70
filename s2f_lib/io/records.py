"""Recorded results: small JSON files, one row per number, that say which command measured what, when and on what."""

import argparse
import functools
import json
import math
import os
import platform
import re
import shlex
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from s2f_lib.io.files import atomic_write, read_json
from s2f_lib.io.measures import MEASURES

ROOT = Path(__file__).resolve().parents[2]  # the repository, when the library runs from a clone
CHANGED = "+changes"  # ends the commit of a tree at work
NUMBERS = ("value", "low", "high", "sd", "n")  # columns of a row that are no condition, in this order
NO_NUMBER = ("data", "out", "quiet", "runs", "workers")  # options that change no number of a record


def results_dir() -> Path:
    """Where results are written: ``$S2F_RESULTS``, else ``results/`` of the clone, else of the current folder."""
    if chosen := os.environ.get("S2F_RESULTS"):
        return Path(chosen)
    return (ROOT if (ROOT / "pyproject.toml").exists() else Path.cwd()) / "results"


def result_file(name: str) -> Path:
    """A file of the recorded results: that of `results_dir`, else the one which the installed package brings."""
    own, packaged = results_dir() / name, Path(__file__).parents[1] / "results" / name
    return packaged if packaged.exists() and not own.exists() else own


@dataclass(frozen=True)
class Record:
    """A run that was recorded: where it comes from, and one row per number.

    A row is a dict with ``measure`` (a name of `s2f_lib.io.measures.MEASURES`), ``value``, ``unit``, optional ``low``,
    ``high`` (95 % interval), ``sd`` and ``n``, and columns that say under which condition it was measured.
    """

    rows: list[dict[str, Any]]
    tables: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    command: str = ""
    commit: str | None = None
    date: str = ""
    device: str = ""
    seconds: float = 0.0
    seeds: list[int] = field(default_factory=list)
    n: int = 0
    notes: str = ""

    def select(self, **conditions: Any):
        """Rows that meet every condition (pandas.DataFrame), see `matching`; without empty columns."""
        import pandas as pd

        return pd.DataFrame(self.matching(**conditions))

    def matching(self, **conditions: Any) -> list[dict[str, Any]]:
        """Rows that meet every condition: a value, a list of allowed ones, or None for "this column does not apply"."""
        allowed = {name: want if isinstance(want, (list, tuple)) else (want,) for name, want in conditions.items()}
        return [row for row in self.rows if all(row.get(name) in wanted for name, wanted in allowed.items())]

    def row(self, measure: str, **conditions: Any) -> dict[str, Any]:
        """The one row of a measure under these conditions; KeyError where there is none, or more than one."""
        found = self.matching(measure=measure, **conditions)
        if len(found) != 1:
            asked = ", ".join([measure, *(f"{name}={wanted!r}" for name, wanted in conditions.items())])
            shown = "; ".join(str({k: v for k, v in row.items() if k not in NUMBERS}) for row in found[:4])
            raise KeyError(f"record {self.name!r} has {len(found)} rows for {asked}, wanted one. {shown}")
        return found[0]

    def value(self, measure: str, **conditions: Any) -> float:
        """The number of that row."""
        return self.row(measure, **conditions)["value"]

    def interval(self, measure: str, **conditions: Any) -> tuple[float, float]:
        """Its 95 % interval; the number itself twice where none was recorded."""
        row = self.row(measure, **conditions)
        return row.get("low", row["value"]), row.get("high", row["value"])


def row(measure: str, value: Any, **conditions: Any) -> dict[str, Any]:
    """A row for `write_record`; a value with ``estimate``, ``low`` and ``high`` brings its interval along.

    Examples
    --------
    >>> row("angle", 61.4, predictor="voice", seconds=6)
    {'measure': 'angle', 'predictor': 'voice', 'seconds': 6, 'value': 61.4}
    """
    bare = not hasattr(value, "estimate")
    numbers = {"value": value} if bare else {"value": value.estimate, "low": value.low, "high": value.high}
    return {"measure": measure, **conditions, **numbers}


def write_record(
    target: str | Path,
    *,
    rows: Iterable[Mapping[str, Any]],
    command: str,
    n: int,
    seconds: float,
    seeds: Sequence[int] = (),
    device: str | None = None,
    notes: str = "",
    tables: Mapping[str, Any] | None = None,
    allow_dirty: bool = False,
) -> Path:
    """Write a record; only the command it names may call this.

    Parameters
    ----------
    target : str or Path
        A name (lower-case letters, digits and "_") for ``results/<name>.json``, or the path of a ".json" file.
    rows : iterable of mappings
        One per number, see `Record`; units are filled in. A None or NaN among the optional columns is left out.
    command : str
        What to type to measure it again.
    n : int
        Number of clips, people or pictures behind the numbers.
    seconds : float
        How long the command took.
    seeds : sequence of int
    device : str, optional
        What it ran on; by default a description of this CPU.
    notes : str
        What a reader must know to judge the numbers.
    tables : mapping, optional
        What is no number with a condition, such as confusion matrices: by name, as JSON holds it.
    allow_dirty : bool
        For tests: write into the clone's own results although its files are not committed.

    Raises
    ------
    ValueError
        Unknown measure, number that is not finite, interval upside down, two rows under one condition, an empty field;
        or the clone has uncommitted changes and the record would be one of its own, see `refuse_uncommitted`.
    """
    path = _path(target)
    name, rows = path.stem if path == Path(target) else str(target), [_row(row) for row in rows]
    if not re.fullmatch(r"[a-z0-9_]+", name):
        raise ValueError(f"a record's name has lower-case letters, digits and '_' only, got {name!r}")
    if not command.strip() or not rows:
        raise ValueError(f"record {name!r} needs its command and at least one row")
    seen = Counter(tuple((k, v) for k, v in sorted(row.items()) if k not in NUMBERS) for row in rows)
    if twice := [dict(condition) for condition, times in seen.items() if times > 1]:
        raise ValueError(f"record {name!r} has two rows under one condition: {twice[0]}; say how they differ")
    if not allow_dirty:
        refuse_uncommitted(path)
    record = {
        "name": name,
        "command": command,
        "commit": current_commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "device": device or describe_cpu(),
        "seconds": round(_number(seconds, "seconds"), 2),
        "seeds": [int(seed) for seed in seeds],
        "n": int(n),
        "notes": notes,
    }
    with atomic_write(path, "w") as file:
        file.write(_text(record, rows, tables or {}))
    return path


def _path(target: str | Path) -> Path:
    """Where a record is, from its name or its path."""
    is_path = isinstance(target, Path) or str(target).endswith(".json")
    return Path(target) if is_path else results_dir() / f"{target}.json"


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row in order: measure, conditions, numbers, unit."""
    row = {key: value.item() if hasattr(value, "item") else value for key, value in row.items()}
    row = {key: value for key, value in row.items() if (value is not None and value == value) or key == "value"}
    measure = row.pop("measure", None)
    if measure not in MEASURES:
        raise ValueError(f"unknown measure {measure!r}; s2f_lib/io/data/measures.csv lists all, with unit and words")
    numbers = {key: _number(row.pop(key), f"{key} of {measure!r}") for key in NUMBERS if key in row}
    if "value" not in numbers or ("low" in numbers) != ("high" in numbers):
        raise ValueError(f"a row has a value and both ends of its interval or none, got {measure} {row} {numbers}")
    if "low" in numbers and numbers["low"] > numbers["high"]:
        raise ValueError(f"interval of {measure!r} is upside down: {numbers['low']} > {numbers['high']}")
    unit = MEASURES[measure].unit
    if row.pop("unit", unit) != unit:
        raise ValueError(f"the unit of {measure!r} is {unit!r}")
    return {"measure": measure} | row | numbers | {"unit": unit}


def _text(record: dict, rows: list[dict], tables: Mapping[str, Any]) -> str:
    """A record as JSON with one row a line, so that a change of one number is a change of one line."""

    def line(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)

    def block(value: Any) -> str:
        if not isinstance(value, (list, tuple)):
            return line(value)
        return "[\n" + ",\n".join(f"      {line(item)}" for item in value) + "\n    ]"

    parts = [f"  {line(key)}: {line(value)}" for key, value in record.items()]
    parts.append('  "rows": [\n' + ",\n".join(f"    {line(row)}" for row in rows) + "\n  ]")
    if tables:
        inner = ",\n".join(f"    {line(key)}: {block(value)}" for key, value in tables.items())
        parts.append('  "tables": {\n' + inner + "\n  }")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def read_record(target: str | Path) -> Record | None:
    """Read ``results/<name>.json``, or the file of that path; None means "not run yet"."""
    path = _path(target)
    path = result_file(path.name) if path.parent == results_dir() else path
    if not path.exists():
        return None
    try:
        return Record(**read_json(path))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is not a record: {error}; run its command again") from error


def refuse_uncommitted(target: str | Path) -> None:
    """Raise ValueError if the clone has uncommitted changes and this record would be one of its ``results/``.

    A long command calls this before it starts. What stands in ``results/`` must follow from a commit that others can
    check out; a record elsewhere may be made from a tree at work, and says so in its commit ("+changes").
    """
    if _path(target).resolve().parent == ROOT / "results" and (current_commit() or "").endswith(CHANGED):
        raise ValueError(
            f"{_path(target).name} would be recorded from uncommitted changes, so that nobody could check it; commit "
            "first, or write it elsewhere (--out, $S2F_RESULTS)"
        )


def command_of(
    parser: argparse.ArgumentParser,
    options: argparse.Namespace,
    *,
    always: Sequence[str] = (),
    left_out: Sequence[str] = (),
) -> str:
    """The command line that runs a program with these options again, for its record.

    Named are the options that differ from their defaults or are in `always`, in the order of the parser; those of
    `left_out` and `NO_NUMBER`, which change no number, are not. A path stays as it was typed; an absolute one is told
    from the working folder.

    Examples
    --------
    >>> parser = argparse.ArgumentParser(prog="s2f study")
    >>> _ = parser.add_argument("--people", type=int, default=100)
    >>> _ = parser.add_argument("--workers", type=int, default=2)
    >>> command_of(parser, parser.parse_args(["--people", "50", "--workers", "8"]))
    's2f study --people 50'
    """
    words = [parser.prog]
    for name, value in vars(options).items():
        if name in (*NO_NUMBER, *left_out) or (value == parser.get_default(name) and name not in always):
            continue
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:  # a flag stands alone
            typed = map(str, value if isinstance(value, list) else [value])
            words += [shlex.quote(os.path.relpath(text) if os.path.isabs(text) else text) for text in typed]
    return " ".join(words)


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
    git = functools.partial(subprocess.run, cwd=ROOT, capture_output=True, text=True, check=True, timeout=20)
    try:
        head = git(("git", "rev-parse", "--short=12", "HEAD")).stdout.strip()
        changed = git(("git", "status", "--porcelain", "--untracked-files=no", "--", ".", ":(exclude)results")).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return head + (CHANGED if changed.strip() else "")


def describe_cpu() -> str:
    """Cores and kind of this processor, without the machine's name."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    model = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists() and (found := re.search(r"model name\s*:\s*(.+)", info.read_text())):
        model = found.group(1).strip()
    return f"CPU, {cores} cores, {model}"
