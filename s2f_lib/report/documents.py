"""Results in Markdown files, drawn from the records: what stands between two markers is never typed by hand.

A file of the book or the README says where a table belongs::

    <!-- results:scorecard -->
    <!-- /results -->

and ``s2f report`` fills it: the name is one of `TABLES`, or that of a record. A test fails when a block differs from
its record. The list of pages (``pages``) and the modules of a page of the reference (``api_...``) follow from files
that are no results, and are filled only while the book is built.
"""

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType

from s2f_lib.io import atomic_write
from s2f_lib.report import scorecard, tables

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"(<!-- results:(?P<name>[a-z0-9_]+) -->\n)(?P<body>.*?)(<!-- /results -->)", re.DOTALL)
UNIT = re.compile(r"(?<=\d) (?=(%|MB|min|ms|years|per s|faces/s)(?!\w))")


TABLES: dict[str, Callable[[], str]] = {
    "scorecard": scorecard.markdown,
    "headlines": scorecard.headlines,
    "changes": scorecard.changes,
    "evaluation": partial(tables.record_table, "evaluation_synthetic"),
    "published": partial(tables.record_table, "published_avspeech"),
    **{made.__name__: made for made in (tables.rules, tables.contest, tables.study, tables.findings)},
    **{made.__name__: made for made in (tables.voices, tables.errors, tables.worlds, tables.weights)},
}


def refreshed(text: str, built: Mapping[str, Callable[[], str]] = MappingProxyType({})) -> str:
    """The text with every block filled from its record; those of the build by the functions given, or emptied."""

    def fill(match: re.Match) -> str:
        name = match["name"]
        if name == "pages" or name.startswith("api_"):
            return f"{match[1]}\n{built[name]()}\n\n{match[4]}" if name in built else match[1] + match[4]
        body = TABLES[name]() if name in TABLES else tables.record_table(name)
        return f"{match[1]}\n{UNIT.sub(chr(0xA0), body.strip())}\n\n{match[4]}"  # a unit stays with its number

    return BLOCK.sub(fill, text)


def files() -> list[Path]:
    """The Markdown files that hold blocks."""
    candidates = [ROOT / "README.md", *sorted((ROOT / "book").rglob("*.md"))]
    return [path for path in candidates if path.exists() and BLOCK.search(path.read_text(encoding="utf-8"))]


def refresh(check: bool = False) -> list[Path]:
    """Fill every block from its record; gives the files that changed, or, with ``check``, that would."""
    changed = []
    for path in files():
        before = path.read_text(encoding="utf-8")
        after = refreshed(before)
        if after != before:
            changed.append(path)
            if not check:
                with atomic_write(path, "w") as file:
                    file.write(after)
    return changed


def main(arguments: Sequence[str] | None = None) -> int:
    """``s2f report``: judge the claims anew and refresh every table of README and book; status 1 if some are stale."""
    parser = argparse.ArgumentParser(prog="s2f report", description=main.__doc__.split(": ")[1])
    parser.add_argument("--check", action="store_true", help="change nothing; status 1 if something is stale")
    check = parser.parse_args(arguments).check
    stale = scorecard.is_stale()
    if stale and not check:
        scorecard.write()
    changed = [str(path.relative_to(ROOT)) for path in refresh(check=check)]
    for name in ["results/scorecard.json"] * stale + changed:
        print(f"{'stale' if check else 'refreshed'}: {name}")
    return int(check and bool(stale or changed))
