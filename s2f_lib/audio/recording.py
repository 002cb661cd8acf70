"""Recordings in and out: any file, any rate, any number of channels, of a length that nobody need know beforehand.

libsndfile is asked first, PyAV where it cannot read; if neither can, the message gives the reason of both. A recording
is read in blocks to its end, or to the wanted second; what it says about its own length is not needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from s2f_lib import io
from s2f_lib.audio import container
from s2f_lib.audio.clip import SAMPLE_RATE, AudioError, cancels, check, check_rate, resample
from s2f_lib.audio.container import MAX_DURATION, MediaError

__all__ = ["Mixer", "load", "write"]

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
    FileNotFoundError
        If there is no such file.
    AudioError
        If it is empty, holds no sound, NaN or infinite values, or integers saved as floats; if the part is impossible.

    See Also
    --------
    s2f_lib.audio.load_speech : the six seconds to give to the voice encoder, at their usual level.
    """
    if not start >= 0 or (end is not None and not start < end <= start + MAX_DURATION):
        told = f"got {start} s to {end} s; at most {MAX_DURATION:.0f} s are read at once"
        raise AudioError(f"the part to read must have 0 <= start < end, {told}")
    mixer = Mixer(Path(path))
    samples, rate = _joined(mixer, start, end)
    if mixer.cancelled:
        samples, rate = _joined(Mixer(Path(path), mixer.loudest), start, end)
    return check(resample(samples, rate), str(path))


def _joined(mixer: Mixer, start: float, end: float | None) -> tuple[np.ndarray, int]:
    """All of a part at its own rate, (samples,)."""
    pieces, length, rate = [], 0, SAMPLE_RATE
    wanted = MAX_DURATION if end is None else end - start
    for rate, block in mixer.blocks(start):
        pieces.append(block)
        length += len(block)
        if end is None and length > MAX_DURATION * rate:
            raise AudioError(f"{mixer.path} is longer than {MAX_DURATION:.0f} s; give start and end")
        if length >= round(wanted * rate):
            break
    if not length:
        raise AudioError(f"{mixer.path} holds no sound (0 samples)" + (f": nothing at {start:g} s" if start else ""))
    return np.concatenate(pieces)[: round(wanted * rate)], rate


@dataclass
class Mixer:
    """Reads a recording in mono blocks, and learns on the way whether its channels cancel each other.

    Attributes
    ----------
    path : Path
    channel : int or None
        The only channel to take; None averages all.
    """

    path: Path
    channel: int | None = None
    _powers: np.ndarray | None = field(default=None, repr=False)  # of each channel, summed over all blocks
    _mixed: float = field(default=0.0, repr=False)  # of the average

    def blocks(self, start: float = 0.0) -> Iterator[tuple[int, np.ndarray]]:
        """(sample rate, (samples,) float32) from a second on, at most `BLOCK` samples at a time."""
        for rate, block in _blocks(self.path, start):
            if self.channel is not None:
                yield rate, block[min(self.channel, len(block) - 1)]
                continue
            mono = block.mean(axis=0)
            powers = np.einsum("cn,cn->c", block, block, dtype=np.float64)
            if self._powers is None or len(self._powers) != len(powers):
                self._powers, self._mixed = np.zeros(len(powers)), 0.0
            self._powers += powers
            self._mixed += float(np.dot(mono, mono))
            yield rate, mono

    @property
    def cancelled(self) -> bool:
        """Whether averaging the channels that were read so far took most of the sound away."""
        return self._powers is not None and cancels(self._powers, self._mixed)

    @property
    def loudest(self) -> int:
        """Number of the loudest channel."""
        return int(np.argmax(self._powers))


def _blocks(path: Path, start: float) -> Iterator[tuple[int, np.ndarray]]:
    """(rate, (channels, samples) float32): by libsndfile, or by PyAV where it cannot give a single sample."""
    import soundfile

    if not path.is_file():
        raise FileNotFoundError(f"no recording at {path}")
    if path.stat().st_size == 0:
        raise AudioError(f"{path} is empty (0 bytes)")
    blocks, reason = _by_soundfile(path, start), "no samples"
    try:
        first = next(blocks, None)
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
        yield from blocks
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{path} cannot be read as sound: {error.error_string}") from error


def _by_soundfile(path: Path, start: float) -> Iterator[tuple[int, np.ndarray]]:
    import soundfile

    with soundfile.SoundFile(path) as file:
        first = round(start * check_rate(file.samplerate, path))
        if file.seekable() and first < file.frames < 1 << 60:  # a FLAC from a pipe says 2 ** 63 - 1
            file.seek(first)
            first = 0
        file.seekable = lambda: False  # soundfile must neither cut at the length the file tells, nor seek to go on
        while len(samples := file.read(BLOCK, dtype="float32", always_2d=True)):
            if first < len(samples):
                yield file.samplerate, samples[first:].T
            first = max(0, first - len(samples))


def write(path: str | Path, waveform: np.ndarray | Tensor) -> Path:
    """Write mono sound at 16 kHz as a 16-bit WAV or FLAC file, whole or not at all."""
    import soundfile

    samples = check(np.asarray(torch.as_tensor(waveform).detach().cpu(), dtype=np.float32), "the waveform")
    with io.atomic_path(path) as temporary:
        soundfile.write(temporary, samples, SAMPLE_RATE, subtype="PCM_16")
    return Path(path)
