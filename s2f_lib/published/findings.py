"""Numbers that may leave the reader's disk: metrics with intervals, and the aggregate tables they follow from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from s2f_lib import io
from s2f_lib.evaluate.statistics import Interval


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
    path = tables_path(name)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
