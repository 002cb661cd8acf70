"""Video in: the picture at a time, and the sound between two times, in bounded memory.

Everything goes through PyAV, which brings its own decoders; no system ffmpeg is needed. Only the wanted seconds are
decoded, however long the video is. What the file says about itself is not trusted: pictures larger than
`MAX_PIXELS` are refused before they are decoded.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from s2f_lib.audio import LONGEST, AudioError, resample, to_mono

__all__ = ["MediaError", "VideoInfo", "probe", "read_audio", "read_clip", "read_frames"]

MAX_PIXELS = 8192 * 4608  # per picture; more is refused as a decompression bomb
FORMATS = "mov,mp4,m4a,3gp,matroska,webm,avi,flv,mpegts,mpeg,asf,ogg,aac,mp3,wav,flac"  # containers we open
SLACK = 0.25  # s; how much may be missing at the end of a stream before we say so


class MediaError(AudioError):
    """A video cannot be used; the message says what came in and what was wanted."""


@dataclass(frozen=True)
class VideoInfo:
    """What a video file says about itself."""

    seconds: float | None  # None if the container does not say
    width: int | None  # pixels as stored, before rotation; None without a picture
    height: int | None
    frame_rate: float | None  # pictures per second
    sample_rate: int | None  # Hz; None without sound


def probe(video: str | Path) -> VideoInfo:
    """Length, size and rates of a video, without decoding it."""
    with _open(video) as container:
        picture = next(iter(container.streams.video), None)
        sound = next(iter(container.streams.audio), None)
        return VideoInfo(
            seconds=container.duration / 1e6 if container.duration else None,
            width=picture.codec_context.width if picture else None,
            height=picture.codec_context.height if picture else None,
            frame_rate=float(picture.average_rate) if picture and picture.average_rate else None,
            sample_rate=sound.codec_context.sample_rate if sound else None,
        )


def read_clip(video: str | Path, start: float, end: float, at: float | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Read one picture and the sound of a piece of video.

    Parameters
    ----------
    video : str or Path
        mp4, webm, mkv, mov ... with a picture and a sound stream.
    start, end : float
        The piece, in seconds from the beginning.
    at : float, optional
        Time of the picture in seconds; by default the middle of the piece. The paper does not say which frame it takes.

    Returns
    -------
    frame : np.ndarray, shape (height, width, 3), uint8
        RGB, turned upright as the file asks.
    waveform : np.ndarray, shape (samples,), float32, in [-1, 1]
        Mono, 16 kHz.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    MediaError
        If it is empty, no video, damaged, shorter than asked for, or lacks sound or picture.
    """
    _check_times(start, end)
    frame = read_frames(video, [(start + end) / 2 if at is None else at])[0]
    return frame, read_audio(video, start, end)


def read_frames(video: str | Path, times: Sequence[float]) -> list[np.ndarray]:
    """Read the pictures shown at the given times (s), in that order; each upright RGB, (height, width, 3) uint8."""
    wanted = sorted(set(times))
    if not wanted or wanted[0] < 0:
        raise MediaError(f"expected times >= 0 s, got {list(times)}")
    found: dict[float, np.ndarray] = {}
    with _open(video) as container:
        if not container.streams.video:
            raise MediaError(f"{video} has no picture stream")
        stream = container.streams.video[0]
        _refuse_giants(video, stream.codec_context.width, stream.codec_context.height)
        stream.thread_type = "SLICE"
        for time, frame in _shown_at(_decode(container, stream, wanted[0]), list(wanted)):
            _refuse_giants(video, frame.width, frame.height)
            found[time] = _upright(frame, stream.sample_aspect_ratio)
    missing = [time for time in wanted if time not in found]
    if missing:
        raise MediaError(f"{video} shows no picture at {missing[0]:.2f} s; it ends earlier or is damaged")
    return [found[time] for time in times]


def read_audio(video: str | Path, start: float = 0.0, end: float | None = None) -> np.ndarray:
    """Read the sound between two times (s; None = to the end) of a video or sound file: (samples,) float32, 16 kHz.

    Raises
    ------
    FileNotFoundError, MediaError
        No such file; no sound stream; damaged; or it ends more than a quarter of a second before `end`.
    """
    _check_times(start, end)
    with _open(video) as container:
        if not container.streams.audio:
            raise MediaError(f"{video} has no sound stream")
        stream = container.streams.audio[0]
        rate = stream.codec_context.sample_rate
        if not rate:
            raise MediaError(f"{video}: its sound stream names no sample rate; the file is damaged")
        pieces = []  # (first sample counted from `start`, samples)
        for time, frame in _decode(container, stream, start):
            if end is not None and time >= end:
                break
            if frame.sample_rate != rate:
                raise MediaError(f"{video} changes its sample rate from {rate} to {frame.sample_rate} Hz in between")
            if (time - start) > LONGEST:
                raise MediaError(f"{video} is longer than {LONGEST:.0f} s; give start and end")
            if time + frame.samples / rate > start:
                pieces.append((round((time - start) * rate), _mono(frame)))
    return _joined(pieces, rate, None if end is None else end - start, f"{video} from {start:g} s")


def _check_times(start: float, end: float | None) -> None:
    """Refuse pieces that are empty, negative or do not fit in memory."""
    if not start >= 0 or (end is not None and not end > start):
        raise MediaError(f"a piece of video must have 0 <= start < end, got {start} s to {end} s")
    if end is not None and end - start > LONGEST:
        raise MediaError(f"{end - start:.0f} s are asked for; at most {LONGEST:.0f} s are read at once")


def _refuse_giants(video: str | Path, width: int, height: int) -> None:
    """A small file can hold a picture that fills the memory."""
    if width * height > MAX_PIXELS:
        raise MediaError(f"{video}: pictures of {width} x {height} pixels are refused as too large")


@contextlib.contextmanager
def _open(video: str | Path) -> Iterator:
    """Open a video; whatever the decoder dislikes becomes a `MediaError`."""
    import av

    video = Path(video)
    if not video.is_file():
        raise FileNotFoundError(f"no video at {video}")
    if video.stat().st_size == 0:
        raise MediaError(f"{video} is empty (0 bytes)")
    # Playlists and scripts, which could make the decoder open other files or addresses, are not among the formats.
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    try:
        with av.open(str(video.resolve()), metadata_errors="ignore", options=options) as container:
            yield container
    except av.error.FFmpegError as error:
        raise MediaError(
            f"{video} cannot be read as video or sound: {error.strerror}; damaged or truncated?"
        ) from error


def _decode(container, stream, start: float) -> Iterator[tuple[float, object]]:
    """(time in s, frame) from at or before `start` on; from the beginning where the file cannot be searched."""
    import av

    origin = (container.start_time or 0) / av.time_base
    if start > 1:
        try:
            container.seek(int((start + origin) * av.time_base), backward=True)
            frames = _timed(container, stream, origin)
            first = next(frames, None)
            if first is not None and first[0] <= start:
                yield first
                yield from frames
                return
        except av.error.FFmpegError:
            pass  # no index to search in: read from the beginning instead
        container.seek(0, backward=True)
    yield from _timed(container, stream, origin)


def _timed(container, stream, origin: float) -> Iterator[tuple[float, object]]:
    """Frames with their time from the beginning of the file; frames without a time are left out."""
    for frame in container.decode(stream):
        if frame.time is not None:
            yield frame.time - origin, frame


def _shown_at(frames: Iterator[tuple[float, object]], wanted: list[float]) -> Iterator[tuple[float, object]]:
    """(wanted time, frame that is on the screen then), for increasing wanted times."""
    shown = None
    for time, frame in frames:
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


def _mono(frame) -> np.ndarray:
    """Samples of a decoded piece of sound, channels averaged; (samples,) float32."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    return to_mono(samples)


def _joined(pieces: list[tuple[int, np.ndarray]], rate: int, seconds: float | None, what: str) -> np.ndarray:
    """Lay pieces of sound at their places (gaps stay silent) and bring them to 16 kHz."""
    last = max((first + len(samples) for first, samples in pieces), default=0)
    if last <= 0:
        raise MediaError(f"{what}: no sound there")
    length = last if seconds is None else round(seconds * rate)
    if length - last > SLACK * rate:
        raise MediaError(f"{what}: {seconds:g} s of sound are wanted, it ends after {last / rate:.2f} s")
    sound = np.zeros(length, dtype=np.float32)
    for first, samples in pieces:
        samples = samples[max(0, -first) : length - first]
        first = max(0, first)
        sound[first : first + len(samples)] = samples
    sound = resample(sound, rate)
    if not np.isfinite(sound).all():
        raise MediaError(f"{what}: the sound holds NaN or infinite values; the file is damaged")
    return np.clip(sound, -1.0, 1.0)
