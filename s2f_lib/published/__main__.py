"""Commands on the published examples.

s2f published measure --part avspeech    # results/published_avspeech.json and published_ridge.json
s2f published train                      # the winning head, for `portrait`; under 10 minutes
s2f published portrait recording.wav     # an average face of people who sound alike
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from s2f_lib.published import layout


def parser() -> argparse.ArgumentParser:
    """The command line."""
    main = argparse.ArgumentParser(
        prog="s2f published", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = main.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    where = "folder of the published examples (default: $S2F_PUBLISHED, or where fetch_published_examples put them)"
    shared.add_argument("--data", type=Path, help=where)
    shared.add_argument("--part", choices=list(layout.PARTS), default="avspeech")
    shared.add_argument("--quiet", action="store_true", help="no progress bars")
    measure = commands.add_parser("measure", parents=[shared], help="measure a part and write its records")
    measure.add_argument("--repeats", type=int, default=2, help="repeated cross-validations (default %(default)s)")
    measure.add_argument("--only", choices=("pictures", "heads"), help="one of the two records")
    train = commands.add_parser("train", parents=[shared], help="fit the voice head on all pairs of a part")
    train.add_argument("--out", type=Path, help="where to write it (default: the cache folder)")
    draw = commands.add_parser("portrait", help="draw the average face of people who sound like a recording")
    draw.add_argument("recording", type=Path)
    draw.add_argument("--head", type=Path, help="file written by `train` (default: the cache folder)")
    draw.add_argument("--out", type=Path, default=Path("portrait.png"))
    return main


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 0 when something was made."""
    asked = parser().parse_args(arguments)
    try:
        if asked.command == "portrait":
            from s2f_lib.published import portrait

            written = portrait.draw(asked.recording, asked.head, asked.out)
            print(f"an average of people who sound alike, nobody's face -> {written}")
            return 0
        folder = layout.locate(asked.data)
        if folder is None:
            raise FileNotFoundError(
                "no published examples here; fetch them with: python -m data_scripts.fetch_published_examples"
            )
        print(layout.open_part(folder, asked.part).report())
        if asked.command == "train":
            from s2f_lib.published import portrait

            print(f"head -> {portrait.train(folder, asked.part, asked.out, progress=not asked.quiet)}")
        else:
            from s2f_lib.published import findings, measure

            measure.write_part(folder, asked.part, asked.repeats, asked.only, progress=not asked.quiet)
            print(f"records -> {', '.join(findings.RECORDS[asked.part])}")
    except (FileNotFoundError, ValueError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
