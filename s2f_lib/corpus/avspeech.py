"""AVSpeech: read the published list, and fetch the seconds that it names from videos that still exist.

The list has no header: YouTube id, start and end in seconds, and the speaker's face centre (x, y in 0-1). It names no
speakers; like the paper's authors we treat every video as a person of its own.
"""

from __future__ import annotations

import csv
import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from s2f_lib import io, media
from s2f_lib.corpus.manifest import safe_name
from s2f_lib.corpus.steps import Row, Step, attempt

__all__ = ["BYTES_PER_SECOND", "by_video", "download_step", "read_list"]

ADDRESS = "https://www.youtube.com/watch?v={video_id}"
FORMAT = "b[height<=480][ext=mp4]/bv*[height<=480][ext=mp4]+ba[ext=m4a]/b[height<=480]/b"  # 480p is plenty for 224 px
BYTES_PER_SECOND = 100_000  # of a 480p video, for the estimate; about 0.8 Mbit/s
GONE = ("404", "410", "unavailable", "private", "removed", "terminated", "not available", "deleted", "copyright")
REFUSED = ("sign in", "confirm your age", "403", "429", "bot", "members-only", "premium")
LONGEST_CLIP = 60.0  # s; the list says 3 to 10


class Lost(ValueError):
    """A clip that cannot be had; `reason` is the short word for the manifest."""

    def __init__(self, reason: str, detail: str):
        super().__init__(detail)
        self.reason = reason


def read_list(path: str | Path) -> list[Row]:
    """Read the published CSV: with or without byte-order mark and header; wrong rows stay in the list as "failed".

    Returns
    -------
    list of dict
        Rows of a manifest with ``start``, ``end`` (s), ``x``, ``y`` (0-1). A row that names a clip for the second time
        is "skipped".
    """
    rows: list[Row] = []
    seen: Counter = Counter()
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
        for number, values in enumerate(csv.reader(file), start=1):
            if not values or (number == 1 and not _is_number(values[1] if len(values) > 1 else "")):
                continue  # an empty line, or a header
            row = _row(number, values)
            seen[row["clip_id"]] += 1
            if seen[row["clip_id"]] > 1:
                again = f"{row['clip_id'][:80]}_{number}"
                row |= {"clip_id": again, "status": "skipped", "reason": "twice in the list"}
            rows.append(row)
    return rows


def _row(number: int, values: list[str]) -> Row:
    """One line of the list as a row of a manifest."""
    empty = {"speaker_id": "", "video_id": "", "split": "", "start": "", "end": "", "x": "", "y": ""}
    try:
        if len(values) != 5:
            raise ValueError(f"{len(values)} values, 5 are wanted")
        video, (start, end, x, y) = safe_name(values[0].strip(), "video id"), map(float, values[1:])
        if not (0 <= start < end <= start + LONGEST_CLIP and math.isfinite(end)):
            raise ValueError(f"a clip from {start} s to {end} s")
        if not (0 <= x <= 1 and 0 <= y <= 1):
            raise ValueError(f"a face at ({x}, {y}), wanted is 0 to 1")
    except ValueError as error:
        told = {"clip_id": f"row{number}", "status": "failed", "reason": "wrong row", "detail": str(error)[:160]}
        return empty | told
    clip = safe_name(f"{video}_{round(start * 1000):08d}_{round(end * 1000):08d}", "clip")
    return {
        "clip_id": clip,
        "speaker_id": video,
        "video_id": video,
        "split": "",
        "status": "ok",
        "reason": "",
        "start": start,
        "end": end,
        "x": x,
        "y": y,
    }


def download_step(
    *, address: str = ADDRESS, cookies: str | None = None, wait: float = 1.0, timeout: float = 20.0, retries: int = 2
) -> Step:
    """The step that fetches clips; `wait` is the pause before each video in seconds, for the host's sake."""
    settings = {"address": address, "cookies": cookies, "wait": wait, "timeout": timeout, "retries": retries}
    return Step("download_avspeech", _download, settings, ("clips/*.mkv",))


def by_video(rows: Iterable[Row]) -> list[list[Row]]:
    """Clips of one video together, so that it is asked for once."""
    groups: dict[object, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["video_id"], []).append(row)
    return list(groups.values())


def _download(task: tuple) -> list[Row]:
    """Fetch the clips of one video."""
    folder, settings, rows = task
    time.sleep(settings["wait"])
    try:
        sources = _resolve(settings["address"].format(video_id=rows[0]["video_id"]), settings)
    except Lost as lost:
        return [{**row, "status": "skipped", "reason": lost.reason, "detail": str(lost)[:160]} for row in rows]

    def fetch(row: Row) -> Row:
        name = f"clips/{safe_name(row['clip_id'])}.mkv"
        with io.atomic_path(Path(folder) / name) as temporary:
            offset = _cut(sources, float(row["start"]), float(row["end"]), temporary, settings["timeout"])
        seconds = float(row["end"]) - float(row["start"])
        return {"video": name, "seconds": round(seconds, 3), "offset": round(offset, 3)}

    return [attempt(fetch, row) for row in rows]


def _resolve(address: str, settings: dict) -> list[str]:
    """Direct addresses of a video's streams (one, or picture and sound), by yt-dlp; downloads nothing."""
    import yt_dlp

    options = {
        "quiet": True,
        "no_warnings": True,
        "noprogress": True,
        "logger": _Silent(),
        "format": FORMAT,
        "noplaylist": True,
        "socket_timeout": settings["timeout"],
        "retries": settings["retries"],
        "extractor_retries": settings["retries"],
        "cookiefile": settings["cookies"],
        "cachedir": False,
    }
    try:
        with yt_dlp.YoutubeDL(options) as client:
            info = client.extract_info(address, download=False)
    except yt_dlp.utils.DownloadError as error:
        raise Lost(_why(str(error)), str(error)) from error
    if info.get("_type") == "playlist":
        raise Lost("not a video", f"{address} is a list of videos")
    streams = info.get("requested_formats") or [info]
    found = [stream["url"] for stream in streams]
    if not all(url.startswith(("http://", "https://")) for url in found):
        raise Lost("not a video", "a stream that is not over HTTP")
    return found


class _Silent:
    """yt-dlp says what it has to say through its error; nothing goes to the terminal."""

    def debug(self, message: str) -> None:
        """Drop it."""

    info = warning = error = debug


def _why(message: str) -> str:
    """A short reason from yt-dlp's message."""
    lower = message.lower()
    if "unsupported url" in lower:
        return "not a video"
    if any(word in lower for word in ("timed out", "timeout")):
        return "host stalls"
    if any(word in lower for word in REFUSED):
        return "host refuses"
    return "gone" if any(word in lower for word in GONE) else "host error"


def _cut(sources: list[str], start: float, end: float, path: Path, timeout: float) -> float:
    """Copy the packets of a few seconds into a Matroska file, without decoding; asks the host only for those.

    Gives the second of the video at which the copy begins: a key frame before the clip.
    """
    import av

    options = {"format_whitelist": media.FORMATS, "protocol_whitelist": "http,https,tcp,tls"}
    begins = []
    try:
        with av.open(str(path), "w", format="matroska") as out:
            for source in sources:
                with av.open(source, timeout=timeout, options=options, metadata_errors="ignore") as container:
                    begins.append(_copy(container, out, start, end, both=len(sources) == 1))
    except (av.error.TimeoutError, av.error.ExitError) as error:
        raise Lost("host stalls", f"no answer within {timeout:g} s") from error
    except av.error.FFmpegError as error:
        raise Lost("damaged", str(error)) from error
    return min(begins)


def _copy(container, out, start: float, end: float, both: bool) -> float:
    """Copy one input's streams; gives the earliest time copied, in seconds of the video."""
    kinds = [container.streams.video[:1], container.streams.audio[:1]]
    if both and not kinds[0]:
        raise Lost("no picture", "the video has no picture stream")
    if both and not kinds[1]:
        raise Lost("no sound", "the video has no sound stream")
    origin = (container.start_time or 0) / 1e6
    streams = {stream.index: out.add_stream_from_template(stream) for kind in kinds for stream in kind}
    container.seek(max(0, int((start + origin - 0.5) * 1e6)), backward=True)
    first, last = math.inf, dict.fromkeys(streams, -math.inf)
    for packet in container.demux([container.streams[index] for index in streams]):
        if packet.dts is None or packet.pts is None:
            continue
        at, index = float(packet.pts * packet.time_base) - origin, packet.stream.index
        last[index] = max(last[index], at)
        if at <= end + 0.5:
            first = min(first, at)
            packet.stream = streams[index]
            out.mux(packet)
        elif min(last.values()) > end + 0.5:
            break
    if max(last.values()) < start:
        raise Lost("too short", f"the video ends before {start:g} s")
    return first


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def list_sizes(rows: Iterable[Row]) -> Iterator[float]:
    """Estimated bytes of the clips still to fetch."""
    return ((float(row["end"]) - float(row["start"]) + 1) * BYTES_PER_SECOND for row in rows if row["status"] == "ok")
