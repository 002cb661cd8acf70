"""Face features of all pairs, once, with a frozen recogniser.

    s2f corpus extract_features data/avspeech/2_pairs data/avspeech/3_features \\
        --recogniser vgg-face --device cuda

Features and logits are stored in half precision; the recogniser's checksum is kept with them.
"""

from __future__ import annotations

import functools
import sys

from data_scripts import _common
from s2f_lib.corpus import crops, features, manifest, steps


def main(arguments: list[str] | None = None) -> int:
    """Run the command; gives the exit status."""
    options = _parser().parse_args(arguments)
    rows = manifest.Table(options.source / "manifest.csv")
    if options.dry_run:
        print(manifest.summary_line("would extract features of", rows))
        return 0
    step = features.feature_step(options.source, options.recogniser, options.device)
    group = functools.partial(crops.in_batches, size=options.batch_size)
    done = steps.run(step, rows, options.out, group=group, **_common.worker_options(options))
    return _common.ending("extracted features of", done, options.out)


def _parser():
    parser = _common.cluster(_common.parser("extract_features", __doc__))
    parser.add_argument("--recogniser", default="synthetic-vgg", help="a name of s2f_lib.hub (default %(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 ... (default %(default)s)")
    parser.add_argument("--batch-size", type=_common.positive, default=64, help="faces at a time (default %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(_common.guarded(main, "s2f corpus extract_features"))
