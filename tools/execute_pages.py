"""Before the book is built: every page executed, into the cache from which Jupyter Book takes what it shows.

    python -m tools.execute_pages --jobs 2

A page is kept as soon as it is through, whatever happens later; its key is the text of its cells. What the cells call
is not part of that key, so the cache is emptied when the library, its weights or the recorded results have changed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from s2f_lib.book import kernel
from s2f_lib.book.pages import ROOT, pages
from s2f_lib.cli import guarded
from tools.sphinx_extension import dressed

BUILD = ROOT / "_build"
MINUTES = re.compile(r"\*\*Runs on\*\* [^;\n]*about ([\d.]+) minute")
EVERY = 20.0  # seconds between two lines of progress


def fingerprint(root: Path = ROOT) -> str:
    """A checksum of all that a page calls: library, data scripts, weights, recorded results."""
    digest = hashlib.sha256()
    for folder in ("s2f_lib", "data_scripts", "results"):
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def refresh_cache(build: Path = BUILD) -> bool:
    """Forget the executed pages when what they call has changed; returns whether it did."""
    stamp, now = build / ".library", fingerprint()
    if stamp.exists() and stamp.read_text() == now:
        return False
    for folder in (".jupyter_cache", ".doctrees", "jupyter_execute"):
        shutil.rmtree(build / folder, ignore_errors=True)
    build.mkdir(exist_ok=True)
    stamp.write_text(now)
    return True


def as_built(path: Path):
    """A page as the book's own Sphinx step hands it on; its cells' metadata are part of the key in the cache."""
    import nbformat

    return nbformat.reads(json.dumps(dressed(json.loads(path.read_text(encoding="utf-8")))), as_version=4)


def expected_seconds(notebook) -> float:
    """What a page says of its own time ("**Runs on** CPU, about 3 minutes"), in seconds; 0 where it says nothing."""
    head = "\n".join(cell.source for cell in notebook.cells[:3])
    found = MINUTES.search(head)
    return 60 * float(found[1]) if found else 0.0


def execute_all(paths: Sequence[Path], build: Path = BUILD, jobs: int = 1) -> dict[str, str]:
    """Execute the pages that the cache does not hold, and put each into it as soon as it is through.

    Returns
    -------
    dict
        Page -> what went wrong; empty when all went well.
    """
    from jupyter_cache import get_cache
    from jupyter_cache.base import CacheBundleIn

    cache = get_cache(build / ".jupyter_cache")
    waiting, begun, failed = {}, time.monotonic(), {}
    for path in paths:
        notebook = as_built(path)
        try:
            cache.match_cache_notebook(notebook)
        except KeyError:
            waiting[path] = notebook
    total = sum(expected_seconds(notebook) for notebook in waiting.values()) / max(1, jobs)

    at: dict[str, str] = {}  # where the running pages are

    def task(number: int, path: Path, notebook):
        title, start = f"page {number} of {len(waiting)}, {path.stem}", time.monotonic()
        print(f"{title}: begun", flush=True)
        try:
            error = kernel.execute(notebook, path.parent, say=lambda i, n: at.update({title: f"cell {i + 1} of {n}"}))
        finally:
            at.pop(title, None)
        return notebook, error, time.monotonic() - start

    def heartbeat():
        while not done.wait(EVERY):
            lines = "; ".join(f"{title}: {cell}" for title, cell in list(at.items()))
            print(f"{time.monotonic() - begun:.0f} s of about {total:.0f} s; {lines}", flush=True)

    done = threading.Event()
    threading.Thread(target=heartbeat, daemon=True).start()
    tasks = {path: lambda n=n, path=path, nb=nb: task(n, path, nb) for n, (path, nb) in enumerate(waiting.items(), 1)}
    try:
        for path, (notebook, error, seconds) in kernel.in_parallel(tasks, jobs):
            print(f"{path.stem}: {'failed, ' + error if error else 'executed'} in {seconds:.0f} s", flush=True)
            if error:
                failed[path.stem] = error
            else:
                bundle = CacheBundleIn(notebook, str(path), data={"execution_seconds": seconds})
                cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
    finally:
        done.set()
    return failed


def main(arguments: Sequence[str] | None = None) -> int:
    """All pages whose outputs the book's cache does not hold; `make book` begins with it."""
    parser = argparse.ArgumentParser(prog="python -m tools.execute_pages", description=main.__doc__)
    parser.add_argument("--jobs", type=int, default=1, help="pages at once (default %(default)s)")
    options = parser.parse_args(arguments)
    kernel.passive_threads(max(1, (os.cpu_count() or 1) // options.jobs))
    if refresh_cache():
        print("the library or its records changed: all pages are executed again")
    failed = execute_all(pages(), jobs=options.jobs)
    for page, error in failed.items():
        print(f"{page}: {error}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(guarded(main, "python -m tools.execute_pages"))
