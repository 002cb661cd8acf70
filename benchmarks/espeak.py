"""A second synthesiser: the program espeak-ng speaks the sentences of a synthetic person, if it is installed.

    waveform = espeak.speak(person)                # clip 0, as `speech.speak`, by another engine

It is for one question: does an encoder that learned from our own synthesiser understand a synthesiser it never heard?
Nothing in the book needs it. espeak-ng (GPL) is a program of its own, called on its command line, and gets what it can
express of a person's voice: pitch and its range, the length of the tract and the four formant scales (as factors on
its formants), the rate, and the language. Breath, jitter, tilt, nasality and personal habits stay behind: espeak has
other knobs for them, or none. Its voice is the same person for everybody otherwise.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
import zlib
from functools import cache
from pathlib import Path

import numpy as np

from s2f_lib.people import channel as channel_module
from s2f_lib.people import score, speech
from s2f_lib.people.phones import REFERENCE_VTL
from s2f_lib.people.source_filter import SAMPLE_RATE

PROGRAM = "espeak-ng"
INSTALL = (
    "it is an optional program: `apt-get install espeak-ng` (Debian, Ubuntu), `brew install espeak-ng` (macOS), "
    "or see https://github.com/espeak-ng/espeak-ng; `s2f_lib.people.speak` needs nothing of the kind"
)
VOICES = {"en": "en-us", "zh": "cmn"}  # espeak's own names where they differ from ours
WORDS_PER_MINUTE = 165  # at rate 1
MELODY = 0.15  # half the range of its pitch, as a share of the median, at intonation movements of usual size
SILENCE = 0.003  # of full scale; what is quieter before and after a sentence is cut


def available() -> bool:
    """Whether the program espeak-ng is on the PATH."""
    return shutil.which(PROGRAM) is not None


def speak(
    person,
    item: int = 0,
    sentences: str = "train",
    channel: bool | float = False,
    *,
    language: str | None = None,
    seconds: float = 6.0,
) -> np.ndarray:
    """Let espeak-ng say what `speech.speak` would say as clip `item` of a person.

    Parameters
    ----------
    person : population.Person
    item : int
        Number of the clip, 0 or more.
    sentences : str
        ``"train"`` or ``"test"``; the same sentences in the same order as `speech.speak` has for this person.
    channel : bool or float
        Room, microphone and background noise as there; here off by default.
    language : str, optional
        Instead of the person's own.
    seconds : float
        Length of the clip, 1 to 12.

    Returns
    -------
    np.ndarray, shape (seconds * 16_000,), float32, in [-1, 1]
        The same for the same version of espeak-ng.

    Raises
    ------
    FileNotFoundError
        If espeak-ng is not installed; the message says how to get it.
    ValueError
        As `speech.speak`; and for Chinese where this espeak-ng spells its characters in English (1.51 as Debian packs
        it does).
    RuntimeError
        If espeak-ng fails; the message is its own.
    """
    speech.check(item, seconds, channel, None)
    language = person.language if language is None else language
    score.sentences(language, sentences)
    if not available():
        raise FileNotFoundError(f"{PROGRAM} is not on the PATH; {INSTALL}")
    if language == "zh" and not _reads_chinese():
        raise ValueError(
            f"this {PROGRAM} spells Chinese characters in English, so it cannot speak zh; "
            "version 1.52 or newer reads them, or ask for another language: language='en'"
        )
    order = np.random.default_rng([person.seed, person.id, zlib.crc32(sentences.encode())])
    texts = [s["text"] for s in score.choose(language, sentences, item, 2 * seconds, person.voice["rate"], order)]
    samples, voice = round(seconds * SAMPLE_RATE), voice_file(person.voice, language)
    parts, length = [np.zeros(round(score.REST * SAMPLE_RATE))], 0
    for text in texts:
        parts += [_say(text, voice, person.voice["rate"]), np.zeros(round(0.25 * SAMPLE_RATE))]
        length = sum(map(len, parts))
        if length >= samples:
            break
    sound = speech.at_level(np.pad(np.concatenate(parts), (0, max(0, samples - length)))[:samples])
    if channel:
        rng = np.random.default_rng([person.seed, person.id, item, zlib.crc32(sentences.encode()), 2])
        sound = channel_module.apply(sound, rng, float(channel))
    return np.clip(sound, -1, 1)


def voice_file(voice: dict, language: str) -> str:
    """The voice of a person in the words of an espeak voice file.

    Parameters
    ----------
    voice : dict
        Uses ``f0``, ``f0_range``, ``vtl`` and ``s1`` to ``s4``.
    language : str
    """
    half = voice["f0"] * min(MELODY * voice["f0_range"], 0.4)
    longer = REFERENCE_VTL / voice["vtl"]
    scales = [1.0, *(voice[f"s{k}"] for k in range(1, 5)), 1.0, 1.0, 1.0, 1.0]
    formants = [f"formant {k} {round(100 * longer * s)} 100 100" for k, s in enumerate(scales)]
    pitch = f"pitch {round(voice['f0'] - half)} {round(voice['f0'] + half)}"
    return "\n".join(["name person", f"language {VOICES.get(language, language)}", pitch, *formants, ""])


def _say(text: str, voice: str, rate: float) -> np.ndarray:
    """One sentence at 16 kHz, without the silence around it."""
    import soundfile
    from scipy.signal import resample_poly

    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "person").write_text(voice, encoding="utf-8")
        words = ["--load", "-v", "person", "-s", str(round(WORDS_PER_MINUTE * rate)), "-b", "1", "--stdin", "--stdout"]
        wave = _run(words, text, folder)
    sound, sample_rate = soundfile.read(io.BytesIO(wave), dtype="float32")
    divisor = np.gcd(SAMPLE_RATE, sample_rate)
    sound = resample_poly(sound, SAMPLE_RATE // divisor, sample_rate // divisor)
    loud = np.flatnonzero(np.abs(sound) > SILENCE)
    if not len(loud):
        raise RuntimeError(f"{PROGRAM} said nothing for {text!r}")
    return sound[loud[0] : loud[-1] + 1]


def _run(words: list[str], text: str, folder: str | None = None) -> bytes:
    done = subprocess.run([PROGRAM, *words], input=text.encode(), capture_output=True, cwd=folder, timeout=60)
    if done.returncode or done.stderr:
        said = done.stderr.decode(errors="replace").strip()
        raise RuntimeError(f"{PROGRAM} failed with status {done.returncode}: {said or 'no message'}")
    return done.stdout


@cache
def _reads_chinese() -> bool:
    return b"(en)" not in _run(["-q", "--ipa", "-v", "cmn", "--stdin"], "早上")


def version() -> str:
    """Name and version of the program, for a record.

    Raises
    ------
    FileNotFoundError
        If it is not installed.
    """
    if not available():
        raise FileNotFoundError(f"{PROGRAM} is not on the PATH; {INSTALL}")
    return f"espeak-ng {_run(['--version'], '').decode().split(':', 1)[-1].split()[0]}"
