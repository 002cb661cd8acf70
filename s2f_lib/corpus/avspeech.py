"""AVSpeech: read the published list, and fetch the seconds that it names from videos that still exist.

The list has no header: YouTube id, start and end in seconds, and the speaker's face centre (x, y in 0-1). It names no
speakers; like the paper's authors we treat every video as a person of its own.
"""

import io as bytes_io
import logging
import math
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from s2f_lib import io
from s2f_lib.audio.container import FORMATS
from s2f_lib.corpus.manifest import Row, new, safe_name, unique
from s2f_lib.corpus.remote import RemoteFile, reason_of_status
from s2f_lib.corpus.steps import Lost, Step, attempt, short

ADDRESS = "https://www.youtube.com/watch?v={video_id}"
FORMAT = "b[height<=480][ext=mp4]/bv*[height<=480][ext=mp4]+ba[ext=m4a]/b[height<=480]/b"  # 480p is plenty for 224 px
BYTES_PER_SECOND = 100_000  # of a 480p video, for the estimate; about 0.8 Mbit/s
MAX_CLIP_SECONDS = 60.0  # s; the list says 3 to 10
MAX_LINE = 4096  # bytes; a longer one is no row
MAX_REFUSALS = 20  # videos in a row before we stop asking
TASK_SECONDS = 7200.0  # for all clips of one video
NUMBER = re.compile(r"[\d.+\0-]|(nan|inf)?$", re.IGNORECASE)  # no name of a column begins so

# What yt-dlp says, without ids: first what passes, then what does not. The status of an answer goes before any words.
STALLED = r"timed? ?out"
REFUSED = (
    r"sign in|log ?in|cookies|confirm your age|age.restricted|not a bot|captcha|rate.?limit|too many requests|"
    r"try again|forbidden|members.only|premium|join this channel|payment|private video|in your country|geo.?restrict|"
    r"blocked"
)
PASSING = r"format is not available|service unavailable|temporarily|connection|network|resolve|premieres|live event"
GONE = (
    r"video (is )?(unavailable|not available|private)|no longer available|available anymore|"
    r"(was|been) (removed|deleted|terminated)|account .*terminated|copyright|does not exist|not found"
)


class VideoList:
    """Rows of the published CSV, read from the file as often as they are asked for: start, end (s), x, y.

    With commas, tabs or semicolons, with or without byte-order mark and header; every line stands for itself, whatever
    is wrong in another one. A wrong one is "failed", one that names a clip for the second time "skipped".

    Raises ValueError if the file is a page or something else that is no list.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        with open(self.path, "rb") as file:
            head = file.read(512).removeprefix(b"\xef\xbb\xbf").lstrip()
        self.encoding = "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
        if head.startswith((b"<", b"{", b"PK", b"\x1f\x8b")):
            raise ValueError(
                f"{path} is a page, an archive or something else, and no list of AVSpeech (id, start, end, x, y)"
            )

    def __iter__(self) -> Iterator[Row]:
        return unique(self._rows())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _rows(self) -> Iterator[Row]:
        with open(self.path, encoding=self.encoding, errors="replace") as file:
            for number, line in enumerate(_lines(file), start=1):
                separator = next((mark for mark in ",\t;" if line.count(mark) >= 4), ",")
                values = [value.strip().strip('"') for value in line.strip().rstrip(separator).split(separator)]
                header = number == 1 and len(values) == 5 and not any(NUMBER.match(value) for value in values[1:])
                if values != [""] and not header:
                    yield _row(number, values)


def _lines(file) -> Iterator[str]:
    """Lines, each at most `MAX_LINE` letters long; the rest of a longer one is passed over."""
    while line := file.readline(MAX_LINE):
        yield line
        while line and not line.endswith("\n"):
            line = file.readline(MAX_LINE)


def _row(number: int, values: list[str]) -> Row:
    """One line of the list as a row of a manifest."""
    try:
        if len(values) != 5:
            raise ValueError(f"{len(values)} values, 5 are wanted")
        if not all(re.fullmatch(r"[0-9.eE+-]+", value) for value in values[1:]):  # float() takes 1_0 for 10
            raise ValueError(f"{', '.join(values[1:])}: numbers are wanted")
        video, (start, end, x, y) = safe_name(values[0], "video id"), map(float, values[1:])
        if not (0 <= start < end <= start + MAX_CLIP_SECONDS and math.isfinite(end)):
            raise ValueError(f"a clip from {start} s to {end} s")
        if not (0 <= x <= 1 and 0 <= y <= 1):
            raise ValueError(f"a face at ({x}, {y}), wanted is 0 to 1")
    except ValueError as error:
        empty = {"start": "", "end": "", "x": "", "y": ""}
        told = {"status": "failed", "reason": "wrong row", "detail": str(error)[:160]}
        return new(f"row{number}", **empty, **told)
    clip = safe_name(f"{video}_{round(start * 1000):08d}_{round(end * 1000):08d}", "clip")
    return new(clip, video, video, start=start, end=end, x=x, y=y)


def download_step(
    *, address: str = ADDRESS, cookies: str | None = None, wait: float = 1.0, timeout: float = 20.0, retries: int = 2
) -> Step:
    """The step that fetches clips from an `address` with ``{video_id}``; it pauses `wait` seconds before each video.

    `cookies` is a file in Netscape's format; it is read, and never written. A page is asked for again `retries` times,
    and given up after `timeout` seconds without an answer.
    """
    text = None
    if cookies is not None:
        from yt_dlp.cookies import YoutubeDLCookieJar

        text = Path(cookies).read_text(encoding="utf-8")
        YoutubeDLCookieJar(bytes_io.StringIO(text)).load()
    options = {"cookies": text, "wait": wait, "timeout": timeout, "retries": retries}
    return Step(
        "download_avspeech", _download, {"address": address}, ("clips/*.mkv",), options, TASK_SECONDS, MAX_REFUSALS
    )


def by_video(rows: Iterable[Row]) -> list[list[Row]]:
    """Clips of one video together, so that it is asked for once."""
    groups: dict[object, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["video_id"], []).append(row)
    return list(groups.values())


def _download(task: tuple) -> list[Row]:
    """Fetch the clips of one video; where the host breaks off, the address is asked for anew, once."""
    folder, settings, rows = task
    time.sleep(settings["wait"])
    found, made = _fetch_all(folder, settings, rows)
    again = [row for row, tried in zip(rows, made, strict=True) if tried["status"] == "waiting"]
    if found and again:
        anew = {row["clip_id"]: row for row in _fetch_all(folder, settings, again)[1]}
        made = [anew.get(row["clip_id"], row) for row in made]
    return made


def _fetch_all(folder: str, settings: dict, rows: list[Row]) -> tuple[bool, list[Row]]:
    """One try at the clips of one video: whether the page gave an address, and what became of them."""
    import yt_dlp

    video = str(rows[0]["video_id"])
    cookies = None if settings["cookies"] is None else bytes_io.StringIO(settings["cookies"])
    options = {
        "quiet": True,
        "noprogress": True,
        "logger": logging.Logger("yt-dlp", logging.CRITICAL + 1),  # what it has to say is in its error
        "format": FORMAT,
        "noplaylist": True,
        "socket_timeout": settings["timeout"],
        "retries": settings["retries"],
        "extractor_retries": settings["retries"],
        "cookiefile": cookies,
        "cachedir": False,
    }
    with yt_dlp.YoutubeDL(options) as client:
        try:
            sources = _resolve(client, settings["address"].format(video_id=video), video)
        except Lost as lost:
            lost_row = {"status": lost.status, "reason": lost.reason, "detail": short(lost)}
            return False, [{**row, **lost_row} for row in rows]

        def fetch(row: Row) -> Row:
            name = f"clips/{safe_name(str(row['clip_id']))}.mkv"
            data, offset = _cut(sources, float(row["start"]), float(row["end"]))
            with io.atomic_write(Path(folder) / name) as file:
                file.write(data)
            seconds = float(row["end"]) - float(row["start"])
            return {"video": name, "seconds": round(seconds, 3), "offset": round(offset, 3)}

        try:
            return True, [attempt(fetch, row, [folder]) for row in rows]
        finally:
            for source in sources:
                source.close()


def _resolve(client, address: str, video: str) -> list[RemoteFile]:
    """A video's streams (one, or picture and sound), by yt-dlp; downloads nothing yet."""
    import yt_dlp

    try:
        info = client.extract_info(address, download=False)
    except yt_dlp.utils.YoutubeDLError as error:
        cause = (getattr(error, "exc_info", None) or (None, None))[1]
        raise Lost(_why(str(error), cause, video), str(error).removeprefix("ERROR: ")) from error
    if not info or info.get("_type") == "playlist":
        raise Lost("not a video", f"{address} is a list of videos")
    streams = info.get("requested_formats") or [info]
    if not all(str(stream.get("url")).startswith(("http://", "https://")) for stream in streams):
        raise Lost("not a video", "a stream that is not over HTTP")
    return [RemoteFile(client, stream["url"], stream.get("http_headers") or {}) for stream in streams]


def _why(message: str, cause: BaseException | None = None, video: str = "") -> str:
    """A short reason from yt-dlp's error: by type and status of its cause, then by its words (an id is none)."""
    import yt_dlp

    if isinstance(cause, yt_dlp.utils.UnsupportedError) or "unsupported url" in message.lower():
        return "not a video"
    if isinstance(cause, yt_dlp.utils.GeoRestrictedError):
        return "host refuses"
    causes = (cause, getattr(cause, "cause", None))
    text = re.sub(r"^ERROR:\s*(\[[^\]]*\]\s*([\w-]+:\s)?)?", "", message.replace(video or "\0", "")).lower()
    status = next((c.status for c in causes if isinstance(getattr(c, "status", None), int)), None)
    if status is None and (found := re.search(r"http error (\d{3})\b", text)):
        status = int(found[1])
    if status is not None:
        return reason_of_status(status)
    if any(isinstance(c, TimeoutError) for c in causes) or re.search(STALLED, text):
        return "host stalls"
    for words, reason in ((REFUSED, "host refuses"), (PASSING, "host error"), (GONE, "gone")):
        if re.search(words, text):
            return reason
    return "host error"


def _cut(sources: list[RemoteFile], start: float, end: float) -> tuple[bytes, float]:
    """Copy the packets of a few seconds into a Matroska file, without decoding; asks the host only for those.

    Gives the file, and the second of the video at which the copy begins: a key frame before the clip.
    """
    import av

    memory, begins = bytes_io.BytesIO(), []
    try:
        with av.open(memory, "w", format="matroska", container_options={"fflags": "+bitexact"}) as out:
            for source in sources:
                source.seek(0)
                head = source.read(64).lstrip()
                if head.startswith((b"<", b"{")):
                    raise Lost("host error", f"a message in place of the video: {head[:40]!r}")
                source.seek(0)
                with av.open(source, options={"format_whitelist": FORMATS}, metadata_errors="ignore") as container:
                    begins.append(_copy(container, out, start, end, both=len(sources) == 1))
    except av.error.FFmpegError as error:
        raise Lost("damaged", str(error)) from error
    return memory.getvalue(), min(begins)


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
        time, index = float(packet.pts * packet.time_base) - origin, packet.stream.index
        last[index] = max(last[index], time)
        if time <= end + 0.5:
            first = min(first, time)
            packet.stream = streams[index]
            out.mux(packet)
        elif min(last.values()) > end + 0.5:
            break
    for index, seen in last.items():
        stream = container.streams[index]
        promised = float(stream.duration * stream.time_base) if stream.duration else 0.0
        if seen < min(end, promised) - 1.0:
            raise Lost("damaged", f"breaks off at {max(seen, 0):.1f} s, its head promises {promised:.1f} s")
    if max(last.values()) < start:
        raise Lost("too short", f"the video ends before {start:g} s")
    return first
