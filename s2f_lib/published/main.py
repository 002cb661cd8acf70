"""Commands on the published examples.

s2f published measure --part avspeech    # results/published_avspeech.json and published_ridge.json
s2f published train                      # the winning head, for `draw`; under 10 minutes
s2f published draw recording.wav         # an average face of people who sound alike
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from s2f_lib.published import layout


def _located(options: argparse.Namespace) -> Path:
    """The folder of the examples; says what of the part is there."""
    folder = layout.locate(options.data)
    if folder is None:
        raise FileNotFoundError("no published examples here; fetch them with: s2f published fetch")
    print(layout.open_part(folder, options.part).report())
    return folder


def measure_main(arguments: Sequence[str] | None = None) -> int:
    """``s2f published measure``: the records of a part."""
    from s2f_lib.published import findings, measure

    options = measure.parser().parse_args(arguments)
    folder = _located(options)
    measure.write_part(folder, options.part, options.repeats, options.only, progress=not options.quiet)
    print(f"records -> {', '.join(findings.RECORDS[options.part])}")
    return 0


def train_main(arguments: Sequence[str] | None = None) -> int:
    """``s2f published train``: the voice head that ``draw`` needs."""
    parser = layout.parser("train", "Fit the voice head on all pairs of a part.")
    parser.add_argument("--out", type=Path, help="where to write it (default: the cache folder)")
    options = parser.parse_args(arguments)
    folder = _located(options)
    from s2f_lib.published import portrait

    print(f"head -> {portrait.train(folder, options.part, options.out, progress=not options.quiet)}")
    return 0


def draw_main(arguments: Sequence[str] | None = None) -> int:
    """``s2f published draw``: the average face of people who sound like a recording."""
    parser = argparse.ArgumentParser(prog="s2f published draw", description=draw_main.__doc__.split(": ")[1])
    parser.add_argument("recording", type=Path)
    parser.add_argument("--head", type=Path, help="file written by `s2f published train` (default: the cache folder)")
    parser.add_argument("--out", type=Path, default=Path("portrait.png"))
    options = parser.parse_args(arguments)
    from s2f_lib.published import portrait

    written = portrait.draw(options.recording, options.head, options.out)
    print(f"an average of people who sound alike, nobody's face -> {written}")
    return 0
