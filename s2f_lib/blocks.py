"""Results in Markdown files, drawn from the records: what stands between two markers is never typed by hand.

A file of the book or the README says where a table belongs::

    <!-- results:scorecard -->
    <!-- /results -->

and ``python -m s2f_lib.blocks`` fills it: ``scorecard`` is the table of the paper's claims, ``weights`` the list of
shipped weights, any other name the record of that name. A test fails when a block differs from its record.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

from s2f_lib.io import atomic_write, read_record

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"(<!-- results:(?P<name>[a-z0-9_]+) -->\n)(?P<body>.*?)(<!-- /results -->)", re.DOTALL)


def record_table(name: str) -> str:
    """A record as Markdown: one row per metric with its interval, and below where the numbers come from."""
    record = read_record(name)
    if record is None:
        return f"*`results/{name}.json`: not run yet.*"
    rows = ["| measure | value | interval |", "|---|---|---|"]
    for metric, value in record["metrics"].items():
        interval = record["intervals"].get(metric)
        rows.append(f"| {metric.replace('_', ' ')} | {number(value)} | {_interval(interval)} |")
    seeds = f", seeds {', '.join(map(str, record['seeds']))}" if record["seeds"] else ""
    source = (
        f"N = {record['n']:,}{seeds}; recorded {record['date'][:10]} on {record['device']}, by `{record['command']}`."
    )
    notes = f" {record['notes']}" if record["notes"] else ""
    return "\n".join([*rows, "", source + notes])


def weights_table() -> str:
    """The weights that `hub.available` lists, as Markdown."""
    from s2f_lib import hub

    rows = ["| name | what | size (MB) | licence | source |", "|---|---|---|---|---|"]
    for entry in hub.available():
        size = "" if entry["size_mb"] is None else number(entry["size_mb"])
        rows.append(f"| `{entry['name']}` | {entry['kind']} | {size} | {entry['licence']} | {entry['source']} |")
    return "\n".join(rows)


def scorecard_table() -> str:
    """The paper's claims with our numbers and verdicts."""
    from s2f_lib.evaluate import scorecard

    return scorecard.markdown().strip()


TABLES: dict[str, Callable[[], str]] = {"scorecard": scorecard_table, "weights": weights_table}


def number(value: float) -> str:
    """Three significant digits, whole numbers whole.

    Examples
    --------
    >>> number(0.98765), number(1234567), number(45.0)
    ('0.988', '1,234,567', '45')
    """
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _interval(interval: list[float] | None) -> str:
    """An interval as text; a dash where none was computed."""
    return "–" if interval is None else f"{number(interval[0])} to {number(interval[1])}"


def refreshed(text: str) -> str:
    """The text with every block filled from its record."""

    def fill(match: re.Match) -> str:
        name = match["name"]
        body = TABLES[name]() if name in TABLES else record_table(name)
        return f"{match[1]}\n{body}\n\n{match[4]}"

    return BLOCK.sub(fill, text)


def files(root: Path = ROOT) -> list[Path]:
    """The Markdown files that hold blocks."""
    candidates = [root / "README.md", *sorted((root / "book").glob("*.md"))]
    return [path for path in candidates if path.exists() and BLOCK.search(path.read_text(encoding="utf-8"))]


def main() -> int:
    """Refresh every block; prints the files that changed."""
    for path in files():
        before = path.read_text(encoding="utf-8")
        after = refreshed(before)
        if after != before:
            with atomic_write(path, "w") as file:
                file.write(after)
            print(f"refreshed {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
