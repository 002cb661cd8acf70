"""Sound out of whatever PyAV opens: containers, compressed recordings, the sound track of a video.

PyAV brings its own decoders; no system ffmpeg is needed. Only the wanted seconds are decoded, however long the file is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from s2f_lib.audio.clip import AudioError, resample, to_mono

__all__ = ["FORMATS", "MediaError", "check_times", "decode", "open_container", "read_audio"]

FORMATS = "mov,mp4,m4a,3gp,matroska,webm,avi,flv,mpegts,mpeg,asf,ogg,aac,mp3,wav,flac"  # containers we open
MAX_DURATION = 3600.0  # s, read into memory at once
SLACK = 0.25  # s; how much may be missing at the end of a stream before we say so


class MediaError(AudioError):
    """A video cannot be used; the message says what came in and what was wanted."""


def read_audio(video: str | Path, start: float = 0.0, end: float | None = None) -> np.ndarray:
    """Read the sound between two times (s; None = to the end) of a video or sound file: (samples,) float32, 16 kHz.

    Raises
    ------
    FileNotFoundError, MediaError
        No such file; no sound stream; damaged; or it ends more than a quarter of a second before `end`.
    """
    check_times(start, end)
    with open_container(video) as container:
        if not container.streams.audio:
            raise MediaError(f"{video} has no sound stream")
        stream = container.streams.audio[0]
        rate = stream.codec_context.sample_rate
        if not rate:
            raise MediaError(f"{video}: its sound stream names no sample rate; the file is damaged")
        pieces = []  # (first sample counted from `start`, samples)
        for time, frame in decode(container, stream, start):
            if end is not None and time >= end:
                break
            if frame.sample_rate != rate:
                raise MediaError(f"{video} changes its sample rate from {rate} to {frame.sample_rate} Hz in between")
            if (time - start) > MAX_DURATION:
                raise MediaError(f"{video} is longer than {MAX_DURATION:.0f} s; give start and end")
            if time + frame.samples / rate > start:
                pieces.append((round((time - start) * rate), _mono(frame)))
    return _joined(pieces, rate, None if end is None else end - start, f"{video} from {start:g} s")


@contextlib.contextmanager
def open_container(video: str | Path) -> Iterator:
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


def decode(container, stream, start: float) -> Iterator[tuple[float, object]]:
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


def check_times(start: float, end: float | None) -> None:
    """Refuse pieces that are empty, negative or do not fit in memory."""
    if not start >= 0 or (end is not None and not end > start):
        raise MediaError(f"a piece of video must have 0 <= start < end, got {start} s to {end} s")
    if end is not None and end - start > MAX_DURATION:
        raise MediaError(f"{end - start:.0f} s are asked for; at most {MAX_DURATION:.0f} s are read at once")


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
