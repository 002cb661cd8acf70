"""Numbers that may leave the reader's disk: metrics with intervals, and the aggregate tables they follow from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from s2f_lib import io
from s2f_lib.metrics.inference import Interval


@dataclass
class Findings:
    """Flat metrics, their intervals, and tables (counts, histograms, correlations): aggregates only."""

    metrics: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    tables: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, value: float | Interval) -> None:
        """Store a number, with its interval if it has one."""
        if name in self.metrics:
            raise ValueError(f"{name} was measured twice; give the two measures two names")
        if isinstance(value, Interval):
            self.metrics[name], self.intervals[name] = value.estimate, (value.low, value.high)
        else:
            self.metrics[name] = float(value)

    def update(self, prefix: str, values: Mapping[str, float | Interval]) -> None:
        """Store several numbers under one prefix."""
        for name, value in values.items():
            self.add(f"{prefix}_{name}", value)


def tables_path(name: str) -> Path:
    """Where the tables of a record lie: ``results/tables/<name>.json``, beside the records."""
    return io.results_dir() / "tables" / f"{name}.json"


def write_tables(name: str, tables: Mapping[str, Any]) -> Path:
    """Write the aggregate tables of a record."""
    path = tables_path(name)
    with io.atomic_write(path, "w") as file:
        json.dump(tables, file, indent=1, allow_nan=False)
        file.write("\n")
    return path


def read_tables(name: str) -> dict[str, Any] | None:
    """Read the aggregate tables of a record; None means "not run yet"."""
    path = io.result_file(f"tables/{name}.json")
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


@dataclass(frozen=True)
class Recorded:
    """What was recorded of one part: two records, and the tables that their numbers follow from."""

    pictures: dict[str, Any]  # results/published_avspeech.json
    tables: dict[str, Any]
    heads: dict[str, Any]  # results/published_ridge.json
    head_tables: dict[str, Any]

    def number(self, name: str) -> float:
        """A metric of the pictures' record."""
        return self.pictures["metrics"][name]

    def head(self, name: str) -> float:
        """A metric of the heads' record."""
        return self.heads["metrics"][name]


RECORDS = {
    "avspeech": ("published_avspeech", "published_ridge"),
    "voxceleb": ("published_voxceleb", "published_vox_ridge"),
}


def recorded(part: str = "avspeech") -> Recorded:
    """Read what was recorded of a part.

    Raises
    ------
    FileNotFoundError
        If it was not measured yet; the message gives the command.
    """
    found = [read(name) for name in RECORDS[part] for read in (io.read_record, read_tables)]
    if any(one is None for one in found):
        raise FileNotFoundError(
            f"the {part} part was not measured yet (no {' and '.join(RECORDS[part])} in {io.results_dir()}); with the "
            f"published examples fetched, run: s2f published measure --part {part}"
        )
    return Recorded(*found)
