"""How long the README's commands take from a fresh clone, and what the built site is like: results/book.json.

    python benchmarks/book.py
    VENV=/some/path python benchmarks/book.py --folder /some/clone    # an environment that is there; keeps the clone

Clones the repository it lies in (what is committed), and runs `make book`, `make book` again, and `make test` there, in
a new environment unless VENV names one. Takes about an hour on 2 cores and 8 GB of disk; needs a package index.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "browser"))
COMMAND = "python benchmarks/book.py"


def timed(command: list[str], folder: Path) -> float:
    """Run a command in a folder and return its minutes; its output is shown.

    Raises
    ------
    SystemExit
        If it fails: no time is recorded for a command that does not work.
    """
    print(f"== {' '.join(command)}", flush=True)
    start = time.monotonic()
    if subprocess.run(command, cwd=folder, check=False).returncode:
        raise SystemExit(f"{' '.join(command)} failed; nothing is recorded")
    return (time.monotonic() - start) / 60


def measure_site(site: Path) -> dict[str, float]:
    """Sizes of the built site, addresses loaded from elsewhere, images without a description."""
    from site_files import Page

    pages = [Page(path) for path in sorted((site / "book").rglob("*.html"))]
    loaded = [address for page in pages for address in page.loaded]
    pictures = [
        [page.path.parent / i["src"] for i in page.images if not i["src"].startswith("data:")] for page in pages
    ]
    sizes = [p.path.stat().st_size + sum(i.stat().st_size for i in set(own)) for p, own in zip(pages, pictures)]
    return {
        "pages": len(pages),
        "site_mb": sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) / 1e6,
        "largest_page_mb": max(sizes) / 1e6,
        "external_requests": sum(bool(re.match(r"(https?:)?//", address)) for address in loaded),
        "images_without_alt": sum(not image.get("alt") for page in pages for image in page.images),
    }


def count_complaints(site: Path) -> dict[str, float]:
    """Console errors and requests that leave, with every page open in Chromium; empty where there is no Chromium."""
    from test_browser import CHROMIUM, Visit

    if CHROMIUM is None:
        print("no Chromium here: console errors are not recorded")
        return {}
    from playwright.sync_api import sync_playwright

    complaints = external = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for path in sorted((site / "book").rglob("*.html")):
            with Visit(browser, path) as visit:
                complaints += len(visit.complaints)
                external += len(visit.external)
        browser.close()
    return {"console_errors": complaints, "external_requests": external}


def main() -> int:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="clone to here and keep it (default: a temporary folder)")
    parser.add_argument("--no-test", action="store_true", help="leave make test out, and test_minutes with it")
    options = parser.parse_args()
    from s2f_lib import io

    start = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        clone = options.folder or Path(temporary) / "clone"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        installed = Path(os.environ.get("VENV", clone / ".venv"), "bin", "python").exists()
        metrics = {
            "fresh_book_minutes": timed(["make", "book"], clone),
            "second_book_minutes": timed(["make", "book"], clone),
        }
        if not options.no_test:
            metrics["test_minutes"] = timed(["make", "test"], clone)
        metrics |= measure_site(clone / "_build" / "html")
        metrics |= count_complaints(clone / "_build" / "html")
    setup = "was there before" if installed else "was installed in that time"
    path = io.write_record(
        "book",
        command=COMMAND + (" --no-test" if options.no_test else ""),
        n=int(metrics["pages"]),
        metrics=metrics,
        seconds=time.monotonic() - start,
        notes=f"N is the number of pages, reference included. fresh_book_minutes: the environment {setup}.",
    )
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
