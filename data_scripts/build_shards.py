"""Pack pairs and features into WebDataset shards, the folder that training reads.

    s2f corpus build_shards data/avspeech/2_pairs data/avspeech/corpus \\
        --features data/avspeech/3_features --splits data/avspeech/splits.json

The folder out may be an address that fsspec reaches (s3://bucket/corpus); training reads it from there as well.
A clip is <key>.flac, .jpg, .v_f.npy, .logits.npy and .json; about 150 kB, a thousand to a shard.
"""

from __future__ import annotations

import sys
from pathlib import Path

from data_scripts import _common
from s2f_lib.corpus import build, manifest, splits

CLIP_BYTES = 150_000


def main(arguments: list[str] | None = None) -> int:
    """Run the command; gives the exit status."""
    options = _parser().parse_args(arguments)
    rows = manifest.Table((options.features or options.source) / "manifest.csv")
    good = sum(row["status"] == "ok" for row in rows)
    print(f"{good} clips, about {_common.megabytes(good * CLIP_BYTES)}")
    if options.dry_run:
        print(f"dry run: nothing is written to {options.out}")
        return 0
    _common.check_space(options.out, good * CLIP_BYTES)
    done = build.build(
        options.source,
        options.features,
        splits.load(options.splits),
        options.out,
        clips_per_shard=options.clips_per_shard,
        sound="wav" if options.wav else "flac",
        jobs=options.jobs,
        scheduler=options.scheduler or ("dask" if options.jobs > 1 else None),
        overwrite=options.overwrite,
        progress=not options.quiet,
        about={"from": options.source.name},
    )
    return _common.ending("packed", done, options.out)


def _parser():
    parser = _common.cluster(_common.parser("build_shards", __doc__, addresses=True))
    parser.add_argument("--features", type=Path, default=None, help="folder of extract_features")
    parser.add_argument("--splits", type=Path, required=True, help="file of make_splits")
    parser.add_argument("--wav", action="store_true", help="store WAV: twice as large, read by the standard library")
    parser.add_argument("--clips-per-shard", type=_common.positive, default=build.CLIPS_PER_SHARD, help="(%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(_common.guarded(main, "s2f corpus build_shards"))
