"""The address of a copy of the repository, in every place that needs it: pages, badges, buttons of the site.

make address URL=https://github.com/you/your-copy
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from s2f_lib.book.pages import ROOT, PageError, pages
from s2f_lib.cli import guarded
from s2f_lib.io import atomic_write

ADDRESS = re.compile(r"https://([\w.-]+)/([\w.-]+/[\w-][\w.-]*?)(?:\.git)?/?")
INSTALLED_FROM = re.compile(r"git\+https://([\w.-]+)/([\w.-]+/[\w.-]+)")  # in the first cell of a page
COMMENTED = re.compile(r"^# (?=(?:repository|launch_buttons): \{)", re.MULTILINE)  # in _config.yml


def places(root: Path = ROOT) -> list[Path]:
    """The files in which the address may stand."""
    named = [root / name for name in ("README.md", "_config.yml", "CITATION.cff", "pyproject.toml")]
    return [path for path in (*named, *sorted((root / "book").glob("*.md")), *pages(root / "book")) if path.exists()]


def write(address: str, root: Path = ROOT) -> list[Path]:
    """Put an address in the place of the present one, and switch on what waits for it in ``_config.yml``.

    Returns
    -------
    list of Path
        The files that changed.

    Raises
    ------
    PageError
        If it is not the address of a repository.
    """
    wanted = ADDRESS.fullmatch(address)
    if not wanted:
        raise PageError(f"{address!r} is no address of a repository; wanted https://HOST/OWNER/NAME")
    host, name = INSTALLED_FROM.search(pages(root / "book")[0].read_text(encoding="utf-8")).groups()
    changed = []
    for path in places(root):
        before = path.read_text(encoding="utf-8")
        after = before.replace(f"{host}/{name}", f"{wanted[1]}/{wanted[2]}").replace(name, wanted[2])
        after = COMMENTED.sub("", after) if path.name == "_config.yml" else after
        if after != before:
            with atomic_write(path, "w") as file:
                file.write(after)
            changed.append(path)
    return changed


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the address of your copy where a hosted notebook or a reader needs it."""
    parser = argparse.ArgumentParser(prog="python -m tools.set_address", description=main.__doc__)
    parser.add_argument("address", help="https://HOST/OWNER/NAME")
    for path in write(parser.parse_args(arguments).address):
        print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main, "python -m tools.set_address"))
