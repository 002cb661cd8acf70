"""``s2f report``: judge the claims anew and refresh every table of README and book; with ``--check`` only look."""

from __future__ import annotations

import argparse

from s2f_lib.report import documents, scorecard


def main(arguments: list[str] | None = None) -> int:
    """Write ``results/scorecard.json`` and the documents, or say which are stale (status 1)."""
    parser = argparse.ArgumentParser(prog="s2f report", description=__doc__.split(":", 1)[1].strip())
    parser.add_argument("--check", action="store_true", help="change nothing; status 1 if something is stale")
    check = parser.parse_args(arguments).check
    stale = scorecard.is_stale()
    if stale and not check:
        scorecard.write()
    changed = [str(path.relative_to(documents.ROOT)) for path in documents.refresh(check=check)]
    for name in ["results/scorecard.json"] * stale + changed:
        print(f"{'stale' if check else 'refreshed'}: {name}")
    return int(check and bool(stale or changed))
