"""Share the speakers of a manifest out into train, validation and test, in a file; no speaker and no video is in two.

    s2f corpus make_splits data/avspeech/3_features data/avspeech/splits.json --fractions 0.9 0.02 0.08

The same manifest and seed give the same file on every machine.
"""

from __future__ import annotations

import itertools
import sys

from data_scripts import _common
from s2f_lib.corpus import manifest, splits


def main(arguments: list[str] | None = None) -> int:
    """Run the command; gives the exit status."""
    options = _parser().parse_args(arguments)
    table = manifest.Table(options.source / "manifest.csv")
    twice = (itertools.islice((row for row in table if row["status"] == "ok"), options.limit) for _ in range(2))
    speakers_of = splits.make(next(twice), tuple(options.fractions), options.seed)
    splits.check(speakers_of, next(twice))
    told = ", ".join(f"{len(members)} {name}" for name, members in speakers_of.items())
    if options.dry_run:
        print(f"would share out {told} speakers")
        return 0
    if options.out.exists() and not options.overwrite:
        if splits.load(options.out) != speakers_of:
            raise ValueError(f"{options.out} holds other splits; --overwrite replaces them")
        print(f"{options.out} is there already and the same: {told} speakers")
        return 0
    splits.save(options.out, speakers_of)
    print(f"shared out {told} speakers -> {options.out}")
    return 0


def _parser():
    parser = _common.parser("make_splits", __doc__)
    parser.add_argument("--seed", type=int, default=0, help="of the hash that orders speakers (default %(default)s)")
    parser.add_argument(
        "--fractions", type=float, nargs=3, default=splits.FRACTIONS, help="train, validation, test (%(default)s)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(_common.guarded(main, "s2f corpus make_splits"))
