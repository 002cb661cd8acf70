"""The run's log: one JSON object per line while it goes on, and a table to look at, which any tool draws."""

import csv
import json
from pathlib import Path

from s2f_lib import io

NAME, TABLE = "log.jsonl", "log.csv"


class RunLog:
    """Lines of one run, in memory and, if a folder is given, in ``log.jsonl`` and ``log.csv``.

    Parameters
    ----------
    folder : str or Path or None
        None keeps the lines in memory only.
    lines : list of dict
        What a resumed run has logged up to its checkpoint; later lines in the file are dropped, since those steps are
        done again.
    """

    def __init__(self, folder: str | Path | None = None, lines: list[dict] = ()):
        self.lines = list(lines)
        self.path = None if folder is None else Path(folder) / NAME
        if self.path:
            with io.atomic_write(self.path, "w") as file:
                file.writelines(json.dumps(line) + "\n" for line in self.lines)

    def add(self, kind: str, step: int, **values) -> dict:
        """Add a line: what kind it is, behind which step, and its numbers."""
        line = {"kind": kind, "step": step, **values}
        self.lines.append(line)
        if self.path:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        return line

    def write_table(self) -> None:
        """Write the numbers of all lines as ``log.csv``: one row per step, one column per number."""
        if not self.path:
            return
        rows: dict[int, dict] = {}
        for line in self.lines:
            prefix = "" if line["kind"] == "train" else f"{line['kind']}_"
            numbers = {prefix + key: value for key, value in line.items() if isinstance(value, (int, float))}
            numbers = {key: value for key, value in numbers.items() if not key.endswith("step")}
            if numbers:
                rows.setdefault(line["step"], {"step": line["step"]}).update(numbers)
        columns = list(dict.fromkeys(key for row in rows.values() for key in row)) or ["step"]
        with io.atomic_write(self.path.with_name(TABLE), "w", newline="") as file:
            table = csv.DictWriter(file, columns)
            table.writeheader()
            table.writerows(rows.values())
