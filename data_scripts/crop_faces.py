"""From clips to pairs: six seconds of sound and one face of 224 x 224 pixels each.

    s2f corpus crop_faces data/avspeech/1_clips data/avspeech/2_pairs --jobs 8
    s2f corpus crop_faces data/vox1/1_list data/vox1/2_pairs --root /data/voxceleb1

The frame nearest to the middle of the clip that shows one upright, large enough face is taken (close to the place that
AVSpeech names); the paper does not say which frame it takes.
"""

from __future__ import annotations

import sys
from pathlib import Path

from data_scripts import _common
from s2f_lib.corpus import crops, manifest, steps


def main(arguments: list[str] | None = None) -> int:
    """Run the command; gives the exit status."""
    options = _parser().parse_args(arguments)
    rows = manifest.Table(options.source / "manifest.csv")
    root = options.root or options.source
    if not root.is_dir():
        raise ValueError(f"{root} is no folder; --root names the one below which the files of the manifest lie")
    if options.dry_run:
        print(manifest.summary_line("would crop", rows))
        return 0
    step = crops.crop_step(root, size=options.size, margin=options.margin, method=options.detector)
    done = steps.run(step, rows, options.out, group=crops.in_batches, **_common.worker_options(options))
    return _common.ending("cropped", done, options.out)


def _parser():
    parser = _common.cluster(_common.parser("crop_faces", __doc__))
    parser.add_argument("--root", type=Path, default=None, help="where the files lie; by default the source folder")
    parser.add_argument("--size", type=int, default=224, help="side of a crop in pixels (default %(default)s)")
    parser.add_argument("--margin", type=float, default=0.4, help="around the face, in boxes (default %(default)s)")
    parser.add_argument("--detector", choices=("hog", "cnn"), default="hog", help="dlib's; the paper took cnn")
    return parser


if __name__ == "__main__":
    sys.exit(_common.guarded(main, "s2f corpus crop_faces"))
