"""How loud speech is, where it is, and whether there is any: for recordings that others made.

The encoder was trained on voices at their usual level and would give another face to the same words spoken further
from the microphone. Recordings from outside are therefore brought to one level before they are heard; synthetic clips,
from which the recorded numbers come, are not touched. Loudness is the power between 100 and 4,000 Hz, where speech is,
in pieces of 50 ms; the level of a recording is that of its pieces within 30 dB of the loudest.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from s2f_lib.audio.clip import CLIP_SECONDS, SAMPLE_RATE, AudioError, fit_to_clip, to_mono
from s2f_lib.audio.recording import blocks, read

PIECE = 0.05  # s
SHORTEST = 0.5  # s; less is a click, and no speech
BAND = (100.0, 4000.0)  # Hz
USUAL_DB = -25.0  # of full scale: the median level of the synthetic voices
SILENT_DB = -90.0  # a recording whose loudest piece is below this is silent; the rounding of 16 bits is at -98
GATE_DB = 30.0  # pieces this far below the loudest are pauses
SEARCHED = 600.0  # s; speech is looked for in the first ten minutes
STEADY_DB = 1.5  # pieces that differ by less are a hum, a hiss or a tone
PERIODIC = 0.5  # correlation of a sound with itself one period later; noise has less
SAME = 0.7  # and with itself some hundred periods later; a voice wavers and has less
SEARCHES = 3  # for speech behind what is louder
EPS = 1e-20


class NoSpeech(AudioError):
    """A recording holds nothing that could be speech; `reason` is the short word for a manifest."""

    def __init__(self, reason: str, message: str):
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Speech:
    """Six seconds of a recording at the usual level."""

    waveform: np.ndarray  # (96_000,) float32; a shorter recording is repeated
    start: float  # s, where they begin in the recording
    end: float  # s
    level_db: float  # of full scale, as recorded
    notes: tuple[str, ...] = ()  # sentences for whoever gave the recording


def load_speech(path: str | Path, start: float | None = None) -> Speech:
    """The six seconds of a recording that are worth to be heard: the loudest that hold speech, at the usual level.

    Reads at most ten minutes, in bounded memory, however long the recording is. With `start` they begin there.

    Raises
    ------
    FileNotFoundError, AudioError
        See `load`.
    NoSpeech
        If it is silent, nothing but a steady noise (the message says at which level), or too short.

    See Also
    --------
    leveled : the same for a waveform.
    """
    path = Path(path)
    levels = _levels(path, start)
    if start is None:
        first, waveform, channel = _loudest_speech(path, levels)
    else:
        first, (waveform, channel) = start, read(path, start, start + CLIP_SECONDS)
    end = first + len(waveform) / SAMPLE_RATE
    searched = f", searched in its first {SEARCHED:.0f} s," if start is None and len(levels) * PIECE >= SEARCHED else ""
    sound, level = leveled(waveform, path.name + searched)
    if end - first < SHORTEST:
        raise NoSpeech("too short", f"{path.name} holds {end - first:.2f} s of sound; {SHORTEST} s are needed")
    if is_steady(waveform):
        raise NoSpeech("no speech", f"{path.name} holds no speech but a steady noise, at {level:.0f} dB of full scale")
    notes = []
    if first > 0:
        before = levels[: round(first / PIECE)]
        quiet = "; before them it is silent" if len(before) and before.max() < SILENT_DB else ""
        notes.append(f"seconds {first:.1f} to {end:.1f} are used, the loudest that hold speech{quiet}")
    if channel is not None:
        notes.append(f"its channels cancel each other, their sum is silent; channel {channel + 1} alone is used")
    if level < USUAL_DB - 20:
        notes.append(f"it is quiet, at {level:.0f} dB of full scale, and was raised to the usual {USUAL_DB:.0f}")
    return Speech(fit_to_clip(sound), first, end, level, tuple(notes))


def _loudest_speech(path: Path, levels: np.ndarray) -> tuple[float, np.ndarray, int | None]:
    """Where the loudest six seconds begin (s), and what `read` gives of them; a steady noise is not heard.

    Behind what is louder, only what has the period of a voice is taken for speech. Where there is none, the loudest.
    """
    found, heard = [], levels
    for _ in range(SEARCHES):
        first = _loudest_start(heard)
        found.append((first, *read(path, first, first + CLIP_SECONDS)))
        waveform = found[-1][1]
        if not is_steady(waveform) and (len(found) == 1 or _is_voiced(waveform)):
            return found[-1]
        noise = np.median(levels[round(first / PIECE) :][: round(CLIP_SECONDS / PIECE)])
        heard = np.where(np.abs(levels - noise) < 2 * STEADY_DB, SILENT_DB, heard)
    return found[0]


def leveled(waveform: np.ndarray, name: str = "the recording") -> tuple[np.ndarray, float]:
    """Speech (samples,) at 16 kHz at the usual level, and the level it had (dB of full scale).

    Raises NoSpeech if it is silent: no 50 ms above -90 dB.
    """
    levels = _piece_levels(waveform, SAMPLE_RATE)
    if levels.max() < SILENT_DB:
        told = f"its loudest 50 ms are at {levels.max():.0f} dB of full scale"
        if levels.max() <= -190:
            told = f"there is nothing between {BAND[0]:.0f} and {BAND[1]:.0f} Hz"
        raise NoSpeech("silent", f"{name} holds no speech, it is silent: {told}")
    loud = levels[levels > levels.max() - GATE_DB]  # the others are pauses
    level = float(10 * np.log10(np.mean(10 ** (loud / 10))))
    sound = waveform - waveform.mean()
    gain = min(10 ** ((USUAL_DB - level) / 20), 1 / float(np.abs(sound).max()))
    return (sound * np.float32(gain)).astype(np.float32), level


def _levels(path: Path, start: float | None) -> np.ndarray:
    """Level of every piece of 50 ms of the part that is looked at, dB."""
    found, rest, done = [], np.zeros(0, np.float32), 0
    rate, wanted = SAMPLE_RATE, SEARCHED if start is None else CLIP_SECONDS
    for rate, block in blocks(path, start or 0.0):
        rest, done = np.concatenate([rest, to_mono(block)]), done + block.shape[1]
        if len(rest) > rate:
            whole = len(rest) // round(PIECE * rate) * round(PIECE * rate)
            found.append(_piece_levels(rest[:whole], rate))
            rest = rest[whole:]
        if done >= wanted * rate:
            break
    return np.concatenate([*found, _piece_levels(rest, rate)] if len(rest) or not found else found)


def _piece_levels(waveform: np.ndarray, rate: int) -> np.ndarray:
    """Power in the band of speech in each 50 ms, dB of full scale; a rest at the end is a piece of its own."""
    size = round(PIECE * rate)
    pieces = np.pad(waveform, (0, -len(waveform) % size or (0 if len(waveform) else size))).reshape(-1, size)
    with np.errstate(invalid="ignore"):  # of infinite samples, which `read` refuses
        spectrum = np.fft.rfft(pieces)
    inside = (np.fft.rfftfreq(size, 1 / rate) >= BAND[0]) & (np.fft.rfftfreq(size, 1 / rate) <= BAND[1])
    power = 2 * np.square(np.abs(spectrum[:, inside])).sum(axis=1) / size**2
    return 10 * np.log10(power + EPS)


def _loudest_start(levels: np.ndarray) -> float:
    """Where the six seconds begin (s) whose pieces stand highest above the pauses; the first of equal ones."""
    width = round(CLIP_SECONDS / PIECE)
    if len(levels) <= width:
        return 0.0
    loudest = np.sort(levels)[-round(SHORTEST / PIECE)]  # a click is louder than the speech behind it
    above = np.clip(levels - max(SILENT_DB, loudest - GATE_DB), 0.0, GATE_DB)
    sums = np.concatenate([[0.0], np.cumsum(above)])
    totals = sums[width:] - sums[:-width]
    return int(np.argmax(np.round(totals, 6))) * PIECE


def is_steady(waveform: np.ndarray) -> bool:
    """Whether a sound (samples,) at 16 kHz neither comes and goes nor has the period of a voice, like a hiss or a hum.

    A hiss has no period; a hum, a tone or a dial tone is the same up to a second later, as no voice is.
    """
    levels, size = _piece_levels(waveform, SAMPLE_RATE), round(PIECE * SAMPLE_RATE)
    whole = levels[: len(waveform) // size]
    if len(whole) < 10 or np.ptp(np.percentile(whole, (10, 90))) > 2 * STEADY_DB:
        return False
    sound = np.diff(waveform[: 40 * size])  # two seconds
    later = np.arange(len(sound) // 4, len(sound) // 2)  # up to one second
    noise = np.median(_periodic(waveform)) < PERIODIC
    return bool(noise or (_correlation(sound)[later] * len(sound) / (len(sound) - later)).max() > SAME)


def _is_voiced(waveform: np.ndarray) -> bool:
    """Whether one in four of the loud pieces has the period of a voice."""
    levels = _piece_levels(waveform, SAMPLE_RATE)[: len(periodic := _periodic(waveform))]
    return bool(np.quantile(periodic[levels > levels.max() - GATE_DB], 0.75) > PERIODIC)


def _periodic(waveform: np.ndarray) -> np.ndarray:
    """How alike each 50 ms are to themselves one period (50 to 400 Hz) later, up to 1."""
    size = round(PIECE * SAMPLE_RATE)
    pieces = np.diff(waveform[: len(waveform) // size * size].reshape(-1, size))
    return _correlation(pieces)[:, 40:320].max(axis=1)


def _correlation(sound: np.ndarray) -> np.ndarray:
    """Of each sound (..., n) with itself 0 to n - 1 samples later, (..., n); what does not overlap counts as zeros."""
    n = sound.shape[-1]
    power = np.square(np.abs(np.fft.rfft(sound, 2 * n)))
    return np.fft.irfft(power)[..., :n] / np.maximum(np.square(sound).sum(axis=-1, keepdims=True), EPS)
