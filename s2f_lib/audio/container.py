"""Sound out of whatever PyAV opens: containers, compressed recordings, the sound track of a video.

PyAV brings its own decoders; no system ffmpeg is needed. Only the wanted seconds are decoded, however long the file is.
"""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from s2f_lib.audio.clip import AudioError, check_rate, scaled

FORMATS = (
    "mov,mp4,m4a,3gp,matroska,webm,avi,flv,mpegts,mpeg,asf,ogg,aac,mp3,wav,flac,amr,amrnb,amrwb,wv,aiff,au,caf,w64,"
    "ac3,eac3,dts,tta,ape"
)
MAX_DURATION = 3600.0  # s, read into memory at once
RUN_IN = 0.25  # s; the first sound that a lossy decoder gives after a seek is not yet right
JITTER = 0.003  # s; Matroska rounds times to milliseconds
GAP = 0.1  # s; clocks are worse than samples: less is no gap (as in FFmpeg's aresample), and an overlap is none at all


class MediaError(AudioError):
    """A video cannot be used; the message says what came in and what was wanted."""


@contextlib.contextmanager
def open_container(video: str | Path) -> Iterator:
    """Open a video or sound file; whatever the decoder dislikes becomes a `MediaError`."""
    import av

    video = Path(video)
    if not video.is_file():
        raise FileNotFoundError(f"there is no file {video}")
    if video.stat().st_size == 0:
        raise MediaError(f"{video} is empty (0 bytes)")
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    try:
        with av.open(str(video.resolve()), metadata_errors="ignore", options=options) as container:
            yield container
    except av.error.FFmpegError as error:
        reason = "a kind of file that is not read" if error.errno == errno.EINVAL else error.strerror
        raise MediaError(f"{video} cannot be read as video or sound: {reason}; damaged or truncated?") from error


def first_stream(container, kind: str, video: str | Path):
    """The first stream of a kind ("video", "audio") that a decoder is there for."""
    words = {"video": "picture", "audio": "sound"}[kind]
    streams = getattr(container.streams, kind)
    if not streams:
        raise MediaError(f"{video} has no {words} stream")
    for stream in streams:
        if stream.codec_context is not None:
            return stream
    raise MediaError(f"{video}: there is no decoder for its {words} stream (encrypted, or a rare codec)")


def blocks(video: str | Path, start: float = 0.0) -> Iterator[tuple[int, np.ndarray]]:
    """(sample rate, (channels, samples) float32) of the sound from a second on; gaps between its pieces are silent."""
    with open_container(video) as container:
        stream = first_stream(container, "audio", video)
        rate, position = check_rate(stream.codec_context.sample_rate, video), 0  # samples given since `start`
        for time, frame in decode(container, stream, start):
            if frame.sample_rate != rate:
                raise MediaError(f"{video} changes its sample rate from {rate} to {frame.sample_rate} Hz in between")
            samples = _channels(frame)
            first = position if time is None else round((time - start) * rate)
            if first - position > MAX_DURATION * rate:
                raise MediaError(f"{video} has a gap of {(first - position) / rate:.0f} s in its sound; damaged?")
            if first - position > (GAP if position else JITTER) * rate:
                yield rate, np.zeros((len(samples), first - position), np.float32)
                position = first
            elif not position and first < -JITTER * rate:
                samples = samples[:, -first:]
            if samples.shape[1]:
                position += samples.shape[1]
                yield rate, samples


def decode(container, stream, start: float) -> Iterator[tuple[float | None, object]]:
    """(time in s, frame) from at or before `start` on; from the beginning where the file cannot be searched."""
    import av

    origin = (container.start_time or 0) / av.time_base
    if start > 1:
        try:
            container.seek(int((start - RUN_IN + origin) * av.time_base), backward=True)
            frames = _timed(container, stream, origin)
            first = next(frames, None)
            if first is not None and first[0] is not None and first[0] <= start:
                yield first
                yield from frames
                return
        except av.error.FFmpegError:
            pass  # no index to search in: read from the beginning instead
        container.seek(0, backward=True)
    yield from _timed(container, stream, origin)


def _timed(container, stream, origin: float) -> Iterator[tuple[float | None, object]]:
    """Frames with their time from the beginning of the file."""
    for frame in container.decode(stream):
        yield None if frame.time is None else frame.time - origin, frame


def _channels(frame) -> np.ndarray:
    """Samples of a decoded piece of sound, (channels, samples) float32 in [-1, 1]; the axis is known, not guessed."""
    try:
        samples = frame.to_ndarray()
    except ValueError as error:
        raise MediaError(f"samples of the type {frame.format.name} are not read") from error
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    return scaled(samples).astype(np.float32)
