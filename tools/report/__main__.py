"""Judge the claims anew and refresh every table of README and book; status 1 if some are stale.

python -m tools.report
python -m tools.report --check    # changes nothing
"""

import argparse
import sys
from collections.abc import Sequence

from s2f_lib import cli
from tools.report import documents, scorecard

COMMAND = scorecard.COMMAND


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge and refresh, or say what is stale."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing; status 1 if something is stale")
    check = parser.parse_args(arguments).check
    stale = scorecard.is_stale()
    if stale and not check:
        scorecard.write()
    changed = [str(path.relative_to(documents.ROOT)) for path in documents.refresh(check=check)]
    for name in ["results/scorecard.json"] * stale + changed:
        print(f"{'stale' if check else 'refreshed'}: {name}")
    return int(check and bool(stale or changed))


if __name__ == "__main__":
    sys.exit(cli.guarded(main, COMMAND))
