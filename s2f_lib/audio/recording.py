"""Recordings in and out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from s2f_lib import io
from s2f_lib.audio import container
from s2f_lib.audio.clip import SAMPLE_RATE, AudioError, check, resample, to_mono
from s2f_lib.audio.container import MAX_DURATION

__all__ = ["load", "write"]


def load(path: str | Path, start: float = 0.0, end: float | None = None) -> np.ndarray:
    """Read a recording as mono sound at 16 kHz.

    Parameters
    ----------
    path : str or Path
        WAV, FLAC, OGG or MP3 (any rate, any number of channels), or a video or m4a file with a sound stream.
    start, end : float
        Part to read, in seconds; by default all of it (at most an hour).

    Returns
    -------
    np.ndarray, shape (samples,), float32, in [-1, 1]
        Channels are averaged. Overshoots of lossy formats are cut at 1.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    AudioError
        If it is empty, holds no sound, NaN or infinite values, or integers saved as floats.
    """
    import soundfile

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no recording at {path}")
    if path.stat().st_size == 0:
        raise AudioError(f"{path} is empty (0 bytes)")
    if start < 0 or (end is not None and end <= start):
        raise AudioError(f"the part to read must have 0 <= start < end, got {start} s to {end} s")
    try:
        with soundfile.SoundFile(path) as file:
            rate, first = file.samplerate, round(start * file.samplerate)
            seconds = (file.frames / rate if end is None else end) - start
            if seconds > MAX_DURATION:
                raise AudioError(
                    f"{path} is {seconds:.0f} s long; give start and end, at most {MAX_DURATION:.0f} s apart"
                )
            if first >= max(file.frames, 1):
                raise AudioError(f"{path} is {file.frames / rate:.2f} s long, nothing at {start} s")
            file.seek(first)
            samples = file.read(-1 if end is None else round(seconds * rate), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        if error.code != 1 and "nimplemented" not in str(error) and "nrecognised" not in str(error):
            raise AudioError(f"{path} cannot be read as sound: {error}") from error
        return container.read_audio(path, start, end)
    if samples.size == 0:
        raise AudioError(f"{path} holds no sound (0 samples)")
    return check(resample(to_mono(samples.T), rate), str(path))


def write(path: str | Path, waveform: np.ndarray | Tensor) -> Path:
    """Write mono sound at 16 kHz as a 16-bit WAV or FLAC file, whole or not at all."""
    import soundfile

    samples = check(np.asarray(torch.as_tensor(waveform).detach().cpu(), dtype=np.float32), "the waveform")
    with io.atomic_path(path) as temporary:
        soundfile.write(temporary, samples, SAMPLE_RATE, subtype="PCM_16")
    return Path(path)
