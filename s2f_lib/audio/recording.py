"""Recordings in and out: any file, any rate, any number of channels, of a length that nobody need know beforehand.

libsndfile is asked first, PyAV for what that misreads and where it cannot read; if neither can, the message gives the
reason of both.
A recording is read in blocks to its end, or to the wanted second; what it says about its length is not needed.
"""

import math
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from s2f_lib import io
from s2f_lib.audio import container
from s2f_lib.audio.clip import SAMPLE_RATE, AudioError, cancels, check, check_rate, resample
from s2f_lib.audio.container import MAX_DURATION, MediaError

BLOCK = 1 << 16  # samples per channel, read at a time


def load(path: str | Path, start: float = 0.0, end: float | None = None) -> np.ndarray:
    """Read a recording as mono sound at 16 kHz.

    Parameters
    ----------
    path : str or Path
        WAV, FLAC, OGG, MP3 ... (any rate, any number of channels), or a video or m4a file with a sound stream.
    start, end : float
        Part to read, in seconds; by default all of it (at most an hour). A recording that ends before `end` gives what
        it has.

    Returns
    -------
    np.ndarray, shape (samples,), float32, in [-1, 1]
        Channels are averaged; of channels that cancel each other (opposite phase) the loudest is taken. Overshoots of
        lossy formats are cut at 1.

    Raises
    ------
    AudioError
        If it is empty, holds no sound, NaN or infinite values, or integers saved as floats; if the part is impossible.

    See Also
    --------
    s2f_lib.audio.load_speech : the six seconds to give to the voice encoder, at their usual level.
    """
    return read(path, start, end)[0]


def read(path: str | Path, start: float = 0.0, end: float | None = None) -> tuple[np.ndarray, int | None]:
    """The same, and the number of the channel that was taken because the others cancel it; None if all are averaged."""
    if end is not None and not start < end <= start + MAX_DURATION:
        told = f"got {start} s to {end} s; at most {MAX_DURATION:.0f} s are read at once"
        raise AudioError(f"the part to read must have 0 <= start < end, {told}")
    path, channel = Path(path), None
    samples, rate, powers = _mono(path, start, end)
    if cancels(powers, float(np.dot(samples, samples))):
        channel = int(np.argmax(powers))
        samples, rate, _ = _mono(path, start, end, channel)
    return check(resample(samples, rate), str(path)), channel


def _mono(
    path: Path, start: float, end: float | None, channel: int | None = None
) -> tuple[np.ndarray, int, np.ndarray]:
    """A part as one channel, or the average of all: (samples,), its rate, and the sum of squares of each channel."""
    pieces, length, rate, powers = [], 0, SAMPLE_RATE, np.zeros(0)
    wanted = MAX_DURATION if end is None else end - start
    for rate, block in blocks(path, start):
        block = block[:, : round(wanted * rate) - length] if end is not None else block
        pieces.append(block.mean(axis=0) if channel is None else block[min(channel, len(block) - 1)])
        squares = np.einsum("cn,cn->c", block, block, dtype=np.float64)
        powers = powers + squares if len(powers) == len(squares) else squares
        length += block.shape[1]
        if end is None and length > MAX_DURATION * rate:
            raise AudioError(f"{path} is longer than {MAX_DURATION:.0f} s; give start and end")
        if end is not None and length >= round(wanted * rate):
            break
    if not length:
        raise AudioError(f"{path} holds no sound (0 samples)" + (f": nothing at {start:g} s" if start else ""))
    return np.concatenate(pieces), rate, powers


def blocks(path: Path, start: float = 0.0) -> Iterator[tuple[int, np.ndarray]]:
    """(rate, (channels, samples) float32): by libsndfile, or by PyAV where it cannot give a single sample."""
    import soundfile

    if not path.is_file():  # a pipe would never be opened
        raise FileNotFoundError(f"there is no file {path}")
    if not 0 <= start < math.inf:
        raise AudioError(f"the part to read must begin at 0 s or later, got {start} s")
    read, reason = _by_soundfile(path, start), "no samples"
    try:
        first = next(read, None)
    except (soundfile.LibsndfileError, RuntimeError, TypeError) as error:
        first, reason = None, str(getattr(error, "error_string", error))
    if first is None:
        try:
            yield from container.blocks(path, start)
        except MediaError as error:
            told = str(error).removeprefix(f"{path} ").removeprefix("cannot be read as video or sound: ")
            raise AudioError(f"{path} cannot be read as sound: libsndfile: {reason}; FFmpeg: {told}") from error
        return
    yield first
    try:
        yield from read
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{path} cannot be read as sound: {error.error_string}") from error


def _by_soundfile(path: Path, start: float) -> Iterator[tuple[int, np.ndarray]]:
    import soundfile

    with open(path, "rb") as opened:  # a name that is no text opens as well
        if _misread(opened):
            return
    with open(path, "rb") as opened, soundfile.SoundFile(opened) as file:
        first = round(start * check_rate(file.samplerate, path))
        if file.seekable() and first < file.frames < 1 << 60:  # a FLAC from a pipe says 2 ** 63 - 1
            file.seek(first)
            first = 0
        file.seekable = lambda: False  # soundfile must neither cut at the length the file tells, nor seek to go on
        while len(samples := file.read(BLOCK, dtype="float32", always_2d=True)):
            if first < len(samples):
                yield file.samplerate, samples[first:].T
            first = max(0, first - len(samples))


def _misread(opened: BinaryIO) -> bool:
    """Whether libsndfile would be wrong: of joined MPEG and Ogg it reads the first, floats in W64 as integers."""
    head = opened.read(4)
    if head == b"OggS":
        with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return data.rfind(b"OggS\0\2") > 0  # a second beginning
    return head == b"riff" or head[:3] == b"ID3" or head[:3] >= b"\xff\xe0"


def write(path: str | Path, waveform: np.ndarray | Tensor) -> Path:
    """Write mono sound at 16 kHz as a 16-bit WAV or FLAC file, whole or not at all."""
    import soundfile

    samples = check(np.asarray(torch.as_tensor(waveform).detach().cpu(), dtype=np.float32), "the waveform")
    with io.atomic_path(path) as temporary:
        soundfile.write(temporary, samples, SAMPLE_RATE, subtype="PCM_16")
    return Path(path)
