"""Voice features of recordings by a frozen, packaged speaker recogniser (Resemblyzer), one vector per recording.

Resemblyzer is a three-layer LSTM trained to tell speakers apart (generalised end-to-end loss, Wan et al., 2018). It
never saw a face. Its voice-activity detector comes as the wheel ``webrtcvad-wheels``, which needs no compiler.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from s2f_lib.published.layout import Part

RECIPE = "voice-1"  # part of the cache's key; raise it when the measurement changes
STATUS = ("ok", "silent", "unreadable")
VOICE_DIM = 256
WINDOWS_PER_SECOND = 2  # overlapping windows of 1.6 s, whose features are averaged
SHORTEST = 0.5  # s of speech after the pauses are cut out; with less, the pauses stay in


@dataclass(frozen=True)
class Voices:
    """Voice features of N recordings, in the order of the part's clips; NaN where there is no sound."""

    status: np.ndarray  # (N,) "ok", "silent" or "unreadable"
    feature: np.ndarray  # (N, 256), unit length

    @property
    def ok(self) -> np.ndarray:
        """(N,) bool: the recording was read and measured."""
        return self.status == "ok"


def voice_feature(waveform: np.ndarray) -> np.ndarray:
    """The speaker feature of a recording, averaged over overlapping windows: (256,), float32, not negative, length 1.

    Parameters
    ----------
    waveform : np.ndarray, shape (samples,), float in [-1, 1]
        Mono, 16 kHz; a few seconds of one speaker is best. ValueError if it is silent or shorter than half a second.
    """
    from s2f_lib import audio

    waveform = np.asarray(waveform, np.float32)
    if waveform.ndim != 1 or len(waveform) < SHORTEST * audio.SAMPLE_RATE:
        raise ValueError(f"expected mono sound of at least {SHORTEST} s at 16 kHz, got shape {waveform.shape}")
    if np.abs(waveform).max() < 1e-4:
        raise ValueError("the recording is silent; is the microphone on?")
    package, encoder = _encoder()
    speech = package.preprocess_wav(waveform, audio.SAMPLE_RATE)  # even loudness, long pauses cut out
    if len(speech) < SHORTEST * audio.SAMPLE_RATE:
        speech = waveform
    return encoder.embed_utterance(speech, rate=WINDOWS_PER_SECOND)


def measure_voice(path: Path) -> dict[str, np.ndarray]:
    """Status and feature of one sound file; a damaged or silent file is a status, not an error."""
    from s2f_lib import audio

    status, feature = "ok", np.full(VOICE_DIM, np.nan)
    try:
        feature = voice_feature(audio.load(path))
    except (audio.AudioError, OSError):
        status = "unreadable"
    except ValueError:
        status = "silent"
    return {"status": np.array(STATUS.index(status)), "feature": feature}


def voices(part: Part, progress: bool = True) -> Voices:
    """Measure every recording of a part; about 0.2 s each on one core the first time, then from the cache."""
    rows = part.measured("voices", RECIPE, (clip.sound for clip in part), measure_voice, progress)
    return Voices(
        np.array([STATUS[int(row["status"])] for row in rows]), np.stack([row["feature"] for row in rows]).astype(float)
    )


@functools.cache
def _encoder():
    """The package and its network, loaded once. ImportError if it is not installed; the message says how to get it."""
    try:
        import resemblyzer
    except ImportError as error:
        raise ImportError(
            "the voice feature needs Resemblyzer: pip install webrtcvad-wheels && pip install --no-deps Resemblyzer"
        ) from error
    return resemblyzer, resemblyzer.VoiceEncoder("cpu", verbose=False)
