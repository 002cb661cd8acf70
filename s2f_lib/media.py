"""Pictures in, of a file or of a video at a time, in bounded memory; sound is read by `s2f_lib.audio.load`.

Videos go through PyAV, which brings its own decoders; no system ffmpeg is needed. Only the wanted seconds are decoded,
however long the video is. What the file says about itself is not trusted: pictures larger than
`MAX_PIXELS` are refused before they are decoded.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from s2f_lib.audio.container import MediaError, decode, first_stream, open_container

SLACK = 0.25  # s; how much may be missing at the end of a stream before we say so
MAX_PIXELS = 8192 * 4608  # per picture; more is refused as a decompression bomb


@dataclass(frozen=True)
class VideoInfo:
    """What a video file says about itself."""

    seconds: float | None  # None if the container does not say
    width: int | None  # pixels as stored, before rotation; None without a picture


def probe(video: str | Path) -> VideoInfo:
    """Length and width of a video, without decoding it."""
    with open_container(video) as container:
        picture = next((stream for stream in container.streams.video if stream.codec_context), None)
        return VideoInfo(
            seconds=container.duration / 1e6 if container.duration else None,
            width=picture.codec_context.width if picture else None,
        )


def read_frames(video: str | Path, times: Sequence[float]) -> list[np.ndarray]:
    """Read the pictures shown at the given times (s), in that order; each upright RGB, (height, width, 3) uint8.

    MediaError for a time outside the video, or one that cannot be decoded.
    """
    wanted = sorted(set(times))
    if not wanted or wanted[0] < 0:
        raise MediaError(f"expected times >= 0 s, got {list(times)}")
    found: dict[float, np.ndarray] = {}
    with open_container(video) as container:
        stream = first_stream(container, "video", video)
        _refuse_giants(video, stream.codec_context.width, stream.codec_context.height)
        stream.thread_type = "SLICE"
        for time, frame in _shown_at(decode(container, stream, wanted[0]), list(wanted)):
            _refuse_giants(video, frame.width, frame.height)
            found[time] = _upright(frame, stream.sample_aspect_ratio)
    missing = [time for time in wanted if time not in found]
    if missing:
        raise MediaError(f"{video} shows no picture at {missing[0]:.2f} s; it ends earlier or is damaged")
    return [found[time] for time in times]


def read_picture(data: bytes) -> np.ndarray:
    """A JPEG or PNG file as upright RGB, (height, width, 3) uint8; 16 bits of grey are scaled.

    Raises MediaError if it is damaged, or has more than `MAX_PIXELS`.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as picture:
            _refuse_giants("the picture", picture.width, picture.height)
            picture = ImageOps.exif_transpose(picture)
            if not picture.mode.startswith("I"):
                return np.asarray(picture.convert("RGB"))
    except Image.DecompressionBombError as error:  # Pillow has a limit of its own
        raise MediaError(f"the picture is refused as too large: {error}") from error
    except MediaError:
        raise
    except (OSError, SyntaxError, ValueError, TypeError, OverflowError) as error:  # what Pillow makes of damage
        raise MediaError(f"the picture is damaged: {str(error).partition(' <')[0]}") from error
    grey = np.asarray(picture).astype(np.int64)  # Pillow would cut it at 255
    grey = (grey // 257 if grey.max(initial=0) > 255 else grey).clip(0, 255).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def _refuse_giants(video: str | Path, width: int, height: int) -> None:
    """A small file can hold a picture that fills the memory."""
    if width * height > MAX_PIXELS:
        raise MediaError(f"{video}: {width} x {height} pixels are refused as too large")


def _shown_at(frames: Iterator[tuple[float, object]], wanted: list[float]) -> Iterator[tuple[float, object]]:
    """(wanted time, frame that is on the screen then), for increasing wanted times."""
    shown = None
    for time, frame in frames:
        if time is None:
            continue  # nobody can say when it was shown
        while wanted and time > wanted[0] + 1e-6:
            yield wanted.pop(0), frame if shown is None else shown[1]
        if not wanted:
            return
        shown = (time, frame)
    while shown is not None and wanted and wanted[0] <= shown[0] + SLACK:
        yield wanted.pop(0), shown[1]


def _upright(frame, aspect) -> np.ndarray:
    """RGB picture with square pixels, turned as the file asks."""
    width = round(frame.width * aspect) if aspect and 0.1 < aspect < 10 else frame.width
    picture = frame.to_ndarray(format="rgb24", width=width, height=frame.height)
    return np.ascontiguousarray(np.rot90(picture, round(frame.rotation / 90) % 4))
