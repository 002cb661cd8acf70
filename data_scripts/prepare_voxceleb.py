"""List a copy of VoxCeleb that is on your disk, so that the next steps can read it; nothing is copied or changed.

    s2f corpus prepare_voxceleb /data/voxceleb1 data/vox1/1_list --meta /data/voxceleb1/vox1_meta.csv

The folder holds wav/, aac/ or mp4/ as published, and for VoxCeleb1 unzippedFaces/ with the VGGFace crops. Sex and
country are the publishers' labels; names of people do not enter the list.
"""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path

from data_scripts import _common
from s2f_lib.corpus import manifest, storage, voxceleb


def main(arguments: list[str] | None = None) -> int:
    """Run the command; gives the exit status."""
    options = _parser().parse_args(arguments)
    meta = voxceleb.read_meta(options.meta) if options.meta else voxceleb.Speakers()
    if meta.left_out:
        told = ", ".join(f"{n} {reason}" for reason, n in meta.left_out.items())
        print(f"{options.meta}: {len(meta)} speakers; left out {meta.left_out.total()}: {told}")
    rows = list(islice(voxceleb.list_clips(options.source, meta), options.limit))
    if options.dry_run:
        print(manifest.summary_line("would list", rows))
        return 0
    target = options.out / "manifest.csv"
    if target.exists() and not options.overwrite:
        raise ValueError(f"{target} is there already; --overwrite makes it anew")
    with storage.lock(options.out):
        manifest.write(target, rows)
    return _common.ending("listed", rows, options.out)


def _parser():
    parser = _common.parser("prepare_voxceleb", __doc__)
    parser.add_argument("--meta", type=Path, default=None, help="vox1_meta.csv; without it no face crops are found")
    return parser


if __name__ == "__main__":
    sys.exit(_common.guarded(main, "s2f corpus prepare_voxceleb"))
