"""Fetch the clips of AVSpeech that still exist, and list those that do not, with the reason.

    s2f corpus download_avspeech avspeech_train.csv data/avspeech/1_clips --limit 200 --dry-run
    s2f corpus download_avspeech avspeech_train.csv data/avspeech/1_clips --limit 200 --jobs 4

The list (YouTube id, start, end, x, y; no header) is published by AVSpeech's authors under CC BY 4.0; the videos belong
to their makers, and the host's terms apply to you. Only the seconds that the list names are asked for, at most 480
lines high. Be polite: keep --wait, and few --jobs. A second call goes on where the first stopped: what the host refused
is tried again, with other cookies or another pause if you like; what is gone is not. After twenty refusals in a row the
command stops by itself.
"""

from __future__ import annotations

import sys
from collections import Counter
from itertools import islice

from data_scripts import _common
from s2f_lib.corpus import avspeech, steps


def main(arguments: list[str] | None = None) -> int:
    """Run the command; gives the exit status."""
    options = _parser().parse_args(arguments)
    rows = avspeech.VideoList(options.source)
    wanted = islice((row for row in rows if row["status"] == "ok"), options.limit)
    size = sum((float(row["end"]) - float(row["start"]) + 1) * avspeech.BYTES_PER_SECOND for row in wanted)
    counts, videos = Counter(), set()
    for row in rows:
        counts[str(row["reason"])] += 1
        videos.add(row["video_id"])
    told = "".join(f", {n} {reason}" for reason, n in counts.items() if reason)
    listed = f"{counts.total()} clips of {len(videos - {''})} videos listed{told}"
    print(f"{listed}; up to {_common.megabytes(size)} to fetch in this call")
    if options.dry_run:
        print(f"dry run: nothing is written to {options.out}")
        return 0
    _common.check_space(options.out, size)
    step = avspeech.download_step(
        address=options.address, cookies=options.cookies, wait=options.wait, timeout=options.timeout
    )
    done = steps.run(step, rows, options.out, group=avspeech.by_video, **_common.worker_options(options))
    return _common.ending("fetched", done, options.out)


def _parser():
    parser = _common.cluster(_common.parser("download_avspeech", __doc__))
    parser.add_argument("--address", default=avspeech.ADDRESS, help="where a video is, with {video_id} (%(default)s)")
    parser.add_argument("--cookies", default=None, help="cookies file for yt-dlp, if the host asks for a login")
    parser.add_argument("--wait", type=float, default=1.0, help="seconds before each video, per process (%(default)s)")
    parser.add_argument("--timeout", type=float, default=20.0, help="seconds without an answer (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(_common.guarded(main, "s2f corpus download_avspeech"))
