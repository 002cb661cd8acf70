"""Results in Markdown files, drawn from the records: what stands between two markers is never typed by hand.

A file of the book or the README says where a table belongs::

    <!-- results:scorecard -->
    <!-- /results -->

and ``python -m tools.report`` fills it: the name is one of `TABLES`, or that of a record. A test fails when a block
differs from its record. The list of pages (``pages``) and the modules of a page of the reference (``api_...``) follow
from files that are no results, and are filled only while the book is built.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from s2f_lib.book import tables
from s2f_lib.io import atomic_write
from tools.report import blocks, scorecard

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"(<!-- results:(?P<name>[a-z0-9_]+) -->\n)(?P<body>.*?)(<!-- /results -->)", re.DOTALL)
UNIT = re.compile(r"(?<=\d) (?=(%|MB|min|ms|years|per s|faces/s)(?!\w))")


TABLES: dict[str, Callable[[], str]] = {
    "scorecard": tables.scorecard,
    "headlines": scorecard.headlines,
    "changes": scorecard.changes,
    "evaluation": partial(tables.record_table, "evaluation_synthetic"),
    "published": partial(tables.record_table, "published_avspeech"),
    "study": tables.study,
    "findings": tables.findings,
    "long_study": partial(tables.study, "long_ablation"),
    "long_findings": partial(tables.findings, "long_ablation"),
    **{made.__name__: made for made in (blocks.rules, blocks.contest, blocks.voices)},
    **{made.__name__: made for made in (blocks.errors, blocks.worlds, blocks.weights)},
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
