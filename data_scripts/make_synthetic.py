"""Write a corpus of synthetic people: paired voices and faces, no download, no real person.

    s2f corpus make_synthetic data/synthetic --people 1000 --world physiology --seed 3000 --jobs 4

The folder gets corpus.json, manifest.csv (one row per clip), splits.json (80/10/10 by speaker) and shards/*.tar.
A run that was stopped, in whatever way, is continued by the same command. The same settings give the same bytes.
"""

from __future__ import annotations

import sys
import time

from data_scripts import _common
from s2f_lib.corpus import manifest, synthetic

BYTES_WAV, BYTES_FLAC = 192_044, 110_000  # of a clip; flac roughly


def main(arguments: list[str] | None = None) -> int:
    """Run the command; gives the exit status."""
    options = _parser().parse_args(arguments)
    settings = _settings(options)
    speakers_of, shards = synthetic.plan(settings)
    clips = settings.people * settings.clips
    size = clips * (BYTES_WAV if settings.sound == "wav" else BYTES_FLAC)
    size += settings.people * settings.pictures * settings.size**2 * 0.5
    told = ", ".join(f"{len(members)} {name}" for name, members in speakers_of.items())
    print(
        f"{settings.people} people ({told}), {clips} clips, {settings.people * settings.pictures} pictures of "
        f"{settings.size} px, {len(shards)} shards, about {_common.megabytes(size)}"
    )
    if options.dry_run:
        print(f"dry run: nothing is written to {options.out}")
        return 0
    _common.check_space(options.out, size)
    began = time.perf_counter()
    rows = synthetic.make(
        options.out, settings, jobs=options.jobs, limit=options.limit, overwrite=options.overwrite,
        progress=not options.quiet,
    )  # fmt: skip
    done = sum(row["status"] == "ok" for row in rows)
    print(f"{manifest.summary_line('made', rows)} in {time.perf_counter() - began:.0f} s -> {options.out}/manifest.csv")
    return 0 if done else 1


def _parser():
    parser = _common.parser("make_synthetic", __doc__, needs_input=False)
    parser.add_argument("--people", type=int, default=1000, help="how many (default %(default)s)")
    parser.add_argument("--world", default="physiology", help="which arrows lead from body to voice (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the population (default %(default)s)")
    parser.add_argument("--pictures", type=int, default=4, help="pictures of each person (default %(default)s)")
    parser.add_argument("--clips", type=int, default=2, help="six-second clips of each person (default %(default)s)")
    parser.add_argument("--size", type=int, default=128, help="side of a picture in pixels (default %(default)s)")
    parser.add_argument(
        "--wear", default="", metavar="THINGS",
        help="hats, glasses and covers in the pictures: any (drawn for each picture), or names with commas between, of "
        "cap, woollen_hat, glasses, sunglasses, mask, scarf, microphone (default: none)",
    )  # fmt: skip
    parser.add_argument("--flac", action="store_true", help="store sound as FLAC, about half the size of WAV")
    return parser


def _settings(options) -> synthetic.SyntheticConfig:
    """Settings from the command line; wrong ones end the command with a sentence."""
    from s2f_lib.people import worlds

    worlds.get(options.world)
    return synthetic.SyntheticConfig(
        people=options.people,
        world=options.world,
        seed=options.seed,
        pictures=options.pictures,
        clips=options.clips,
        size=options.size,
        sound="flac" if options.flac else "wav",
        wear=tuple(name.strip() for name in options.wear.split(",")) if options.wear else (),
    )


if __name__ == "__main__":
    sys.exit(_common.guarded(main, "s2f corpus make_synthetic"))
