"""How long the README's commands take from a fresh clone, and what the built site is like: results/book.json.

    python -m benchmarks.book && python -m tools.report
    VENV=/some/path python -m benchmarks.book --folder /some/clone    # an environment that is there; keeps the clone

What it does, one after the other:

- clones the repository it lies in (what is committed) into a temporary folder;
- `make book` there, which installs the pinned packages into a new environment (unless VENV names one), runs every page;
- `make book` again; then `make test`, which now includes the browser tests of the built site;
- opens every page in Chromium, if there is one.

The clone has a cache folder of its own and pip uses none, so nothing that this machine has kept helps. All of it takes
under an hour on 2 cores, and 9 GB of disk; it needs a package index. A step that takes longer than LIMIT is ended.
Where `make test` fails, the rest is recorded without its time, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from s2f_lib import io
from s2f_lib.io import row

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "browser"))
COMMAND = "python -m benchmarks.book"
LIMIT = 300  # minutes for one step; a busy machine is no failure


def timed(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[float, float] | None:
    """Run a command in a folder and return its seconds, and those of the processors; its output is shown.

    None where it fails or takes longer than LIMIT, when it is ended with all that it started: no time is recorded for
    a command that does not work.
    """
    print(f"== {time.strftime('%H:%M')} {' '.join(command)} (at most {LIMIT} minutes)", flush=True)
    start, before = time.monotonic(), _processor_seconds()
    running = subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True)
    try:
        status = running.wait(LIMIT * 60)
    except BaseException as error:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        status = f"more than {LIMIT} minutes"
    seconds = time.monotonic() - start
    print(f"== {' '.join(command)}: {seconds / 60:.1f} minutes, status {status}", flush=True)
    return None if status else (seconds, _processor_seconds() - before)


def _processor_seconds() -> float:
    """What all processes that were started from here have used, those that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure_site(site: Path) -> list[dict]:
    """Sizes of the built site, addresses loaded from elsewhere, images without a description."""
    from site_files import Page

    pages = [Page(path) for path in sorted((site / "book").rglob("*.html"))]
    loaded = [address for page in pages for address in page.loaded]
    pictures = [
        [page.path.parent / i["src"] for i in page.images if not i["src"].startswith("data:")] for page in pages
    ]
    sizes = [p.path.stat().st_size + sum(i.stat().st_size for i in set(own)) for p, own in zip(pages, pictures)]
    return [
        row("files", len(pages), what="pages"),
        row("size", sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) / 1e6, what="site"),
        row("size", max(sizes) / 1e6, what="largest page"),
        row("requests", sum(bool(re.match(r"(https?:)?//", address)) for address in loaded)),
        row(
            "files",
            sum(not image.get("alt") for page in pages for image in page.images),
            what="images without a description",
        ),
    ]


def open_pages(site: Path) -> list[dict]:
    """Every page in Chromium: complaints, requests made while it is open, seconds until the slowest shows text.

    Empty where there is no Chromium.
    """
    from test_browser import CHROMIUM, Visit

    if CHROMIUM is None:
        print("no Chromium here: console errors are not recorded")
        return []
    from playwright.sync_api import sync_playwright

    complaints, external, seconds = 0, 0, []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for path in sorted((site / "book").rglob("*.html")):
            with Visit(browser, path) as visit:
                complaints += len(visit.complaints)
                external += len(visit.external)
                seconds.append(visit.seconds)
        browser.close()
    return [
        row("complaints", complaints),
        row("requests", external, by="Chromium"),
        row("duration", max(seconds), what="open the slowest page"),
    ]


def main() -> int:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="clone to here and keep it (default: a temporary folder)")
    parser.add_argument("--no-test", action="store_true", help="leave make test out, and its time with it")
    options = parser.parse_args()
    io.refuse_uncommitted("book")
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        clone = options.folder or Path(temporary) / "clone"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        there = Path(os.environ.get("VENV", clone / ".venv"), "bin", "python").exists()
        bare = {**os.environ, "S2F_HOME": str(Path(temporary) / "home"), "PIP_NO_CACHE_DIR": "1"}
        rows, failed = [], False
        for name in ("make book, fresh clone", "make book, nothing changed", "make test"):
            command = name.split(",")[0].split()
            if command[1] == "test" and options.no_test:
                continue
            if found := timed(command, clone, bare):
                rows.append(row("duration", found[0], what=name))
                rows.append(row("duration", found[1], what=f"{name}, processors"))
            elif command[1] == "book":
                raise SystemExit("make book failed; nothing is recorded")
            else:
                failed = True
        rows += measure_site(clone / "_build" / "html") + open_pages(clone / "_build" / "html")
    path = io.write_record(
        "book",
        command=COMMAND + (" --no-test" if options.no_test else ""),
        n=next(found["value"] for found in rows if found.get("what") == "pages"),
        rows=rows,
        seconds=time.monotonic() - start,
        notes="N is the number of pages, reference included. "
        + ("The environment was there before." if there else "The first line includes the installation."),
    )
    print(f"{path}: make test failed; its time is not recorded" if failed else path)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
