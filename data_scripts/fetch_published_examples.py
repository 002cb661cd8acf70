"""Fetch the paper's public examples: clip, true face, F2F and S2F pictures of 968 AVSpeech and 336 VoxCeleb clips.

    s2f published fetch data/published
    s2f published fetch data/published --existing ../shared/published_examples

They lie in the authors' project-page repository, speech2face/speech2face.github.io on GitHub. No licence is stated and
real people are shown: measure on them, do not pass them on. A call that was stopped is continued by the same command.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from data_scripts import _common
from data_scripts import _published as fetch
from s2f_lib import io
from s2f_lib.published import layout


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 when at least one whole clip is there, 1 when its counts differ from what was published."""
    options = _parser().parse_args(arguments)
    out = options.out or io.cache_dir() / "published_examples"
    parts = options.part or list(layout.PARTS)
    wanted = fetch.plan(parts)
    print(f"{options.existing} -> {out}, nothing is copied" if options.existing else f"{wanted} -> {out}")
    if options.dry_run:
        print(f"dry run: nothing is written to {out}")
        return 0
    if options.overwrite:
        needed = [options.existing, *fetch.find(options.existing, parts).values()] if options.existing else []
        fetch.clear(out, options.source or fetch.REPOSITORY, needed)
    if options.existing:
        fetch.adopt(out, options.existing, parts)
    else:
        _fetch(out, wanted, options)
    differences = fetch.check_counts(out, parts)
    for line in differences:
        print(f"differs from 2019: {line}", file=sys.stderr)
    manifest = fetch.write_manifest(out, parts)
    present = [part for part in parts if layout.part_folder(out, part)]
    print("; ".join(layout.open_part(out, part).report() for part in present) + f" -> {manifest}")
    return 1 if differences and not options.existing else 0


def _fetch(out: Path, wanted: fetch.Plan, options: argparse.Namespace) -> None:
    fetch.check_disk(out, wanted.megabytes)
    method = options.method
    if method == "auto":
        method = "git" if shutil.which("git") else "archive"
    say = (lambda line: None) if options.quiet else print
    if method == "git":
        fetch.by_git(out, wanted, options.source or fetch.REPOSITORY, say)
    else:
        fetch.by_archive(out, wanted, options.source or fetch.ARCHIVE, say)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="s2f published fetch", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, nargs="?", help="folder to write (default: in the cache folder, S2F_HOME)")
    parser.add_argument("--part", action="append", choices=list(layout.PARTS), help="only this part; may be repeated")
    parser.add_argument(
        "--existing", type=Path, help="use this copy, in the authors' layout or a short one; no network"
    )
    parser.add_argument(
        "--method", choices=("auto", "git", "archive"), default="auto", help="how to fetch (%(default)s)"
    )
    parser.add_argument("--source", help="another address of the repository or archive")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done and write nothing")
    parser.add_argument("--overwrite", action="store_true", help="throw away what was fetched into out and begin anew")
    parser.add_argument("--quiet", action="store_true", help="no line per folder")
    return parser


if __name__ == "__main__":
    sys.exit(_common.guarded(main, "s2f published fetch"))
