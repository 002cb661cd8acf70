"""Results in Markdown files, drawn from the records: what stands between two markers is never typed by hand.

A file of the book or the README says where a table belongs::

    <!-- results:scorecard -->
    <!-- /results -->

and ``python -m s2f_lib.blocks`` fills it: ``scorecard`` is the table of the paper's claims, ``weights`` the list of
shipped weights, any other name the record of that name. A test fails when a block differs from its record.

Two kinds are filled only while the book is built, because they follow from files that are no results: ``pages``, the
list of pages, and ``api_people``, the modules of a room.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from functools import partial
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


def pages_table() -> str:
    """The pages of the book with the question each one asks and what it runs on, from their first cell."""
    rows = ["| page | question | runs on |", "|---|---|---|"]
    for path in sorted((ROOT / "book").glob("[0-9][0-9]_*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells[:3] if cell["cell_type"] == "markdown")
        title = re.search(r"^# (.+)$", text, re.MULTILINE)
        told = {key: re.search(rf"\*\*{key}\*\*:? (.+?)\\?$", text, re.MULTILINE) for key in ("Question", "Runs on")}
        question, runs_on = (found[1].strip() if found else "" for found in told.values())
        rows.append(f"| [{title[1] if title else path.stem}]({path.name}) | {question} | {runs_on} |")
    return "\n".join(rows) if len(rows) > 2 else "*No page yet.*"


ROOMS = {
    "foundation": ("config", "hub", "io", "audio", "media"),
    "people": ("people",),
    "faces": ("faces",),
    "corpus": ("corpus",),
    "learning": ("voice_encoder", "losses", "train", "training"),
    "evaluate": ("evaluate",),
    "book": ("plotting", "widgets", "published", "idea", "parameters", "pages", "blocks", "site", "cli"),
}


def modules(room: str) -> list[str]:
    """Full names of the public modules of a room that exist, packages before what is in them."""
    package = ROOT / "s2f_lib"
    found = []
    for name in ROOMS[room]:
        paths = (
            [package / f"{name}.py"] if (package / f"{name}.py").exists() else sorted((package / name).rglob("*.py"))
        )
        for path in sorted(paths, key=lambda path: (path.parent, path.name != "__init__.py", path.name)):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if not any(part.startswith("_") and part != "__init__" for part in parts):
                found.append(".".join(part for part in parts if part != "__init__"))
    return found


def api_block(room: str) -> str:
    """Directives that draw the reference of a room's modules from their docstrings."""
    directives = []
    for name in modules(room):
        is_package = (ROOT / name.replace(".", "/")).is_dir()  # its members are shown where they are defined
        option = "\n   :no-members:" if is_package else ""
        title = name.removeprefix("s2f_lib.")
        directives.append(f"## {title}\n\n```{{eval-rst}}\n.. automodule:: {name}{option}\n```")
    return "\n\n".join(directives) or "*Nothing here yet.*"


TABLES: dict[str, Callable[[], str]] = {"scorecard": scorecard_table, "weights": weights_table}
BUILT: dict[str, Callable[[], str]] = {
    "pages": pages_table,
    **{f"api_{room}": partial(api_block, room) for room in ROOMS},
}


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


def refreshed(text: str, everything: bool = False) -> str:
    """The text with every block filled from its record; the kinds of the build too if `everything`, else empty."""

    from s2f_lib.evaluate import summaries  # short tables out of long records

    tables = {**summaries.TABLES, **TABLES}

    def fill(match: re.Match) -> str:
        name = match["name"]
        if name in BUILT:
            return f"{match[1]}\n{BUILT[name]()}\n\n{match[4]}" if everything else match[1] + match[4]
        body = tables[name]().strip() if name in tables else record_table(name)
        return f"{match[1]}\n{body}\n\n{match[4]}"

    return BLOCK.sub(fill, text)


def files(root: Path = ROOT) -> list[Path]:
    """The Markdown files that hold blocks."""
    candidates = [root / "README.md", *sorted((root / "book").rglob("*.md"))]
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
