"""Scores: which sentences a clip says, and the timeline of articulatory segments they become."""

import gzip
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from s2f_lib.people.causes import LANGUAGES
from s2f_lib.people.habits import Habits
from s2f_lib.people.phones import CONSONANTS, NEUTRAL, VOWELS, parse

SCORES = Path(__file__).parent / "data" / "scores.json.gz"
SPLITS = ("train", "test")
SENTENCES_PER_CLIP = 3  # a clip starts this many sentences after the one before it
REST = 0.08  # s of silence before the first sentence


@dataclass(frozen=True)
class Segment:
    """A stretch of time with one articulatory target."""

    kind: str  # silence, vowel, nasal, approximant, tap, closure, burst, aspirate, fricative, voiced_fricative
    seconds: float
    formants: tuple[float, float, float] = NEUTRAL  # Hz, for the reference tract
    weight: float = 0.02  # pull of the target on the smoothed tracks
    phone: str = ""
    locus: float | None = None
    place: str | float = ""
    stress: int = 0
    voicing: float = 0.0  # of a closure
    nasal: bool = False


@lru_cache(maxsize=1)
def load_scores() -> dict:
    """All sentences: language -> "train" or "test" -> list of {text, phones, semitones}."""
    return json.loads(gzip.decompress(SCORES.read_bytes()))


def sentences(language: str, split: str) -> list[dict]:
    """The sentences of one language and split; train and test share none.

    Raises ValueError for an unknown language or split; the message lists the known ones.
    """
    if language not in LANGUAGES:
        raise ValueError(f"unknown language {language!r}; known languages: {', '.join(LANGUAGES)}")
    if split not in SPLITS:
        raise ValueError(f"unknown set of sentences {split!r}; known: {', '.join(SPLITS)}")
    return load_scores()[language][split]


def choose(language: str, split: str, item: int, seconds: float, rate: float, rng: np.random.Generator) -> list[dict]:
    """Sentences of clip number `item` of a person, enough for `seconds` at speaking rate `rate`.

    Each person has an order of their own; clips follow each other in it, so that clips share no sentence until the
    list is used up (6 clips of the training sentences, 2 of the test sentences). A sentence has ``phones`` [(IPA, ms),
    ...], ``semitones`` every 20 ms, and its ``text``.
    """
    pool = sentences(language, split)
    order = rng.permutation(len(pool))
    chosen, length = [], REST
    for k in range(40):
        chosen.append(pool[order[(item * SENTENCES_PER_CLIP + k) % len(pool)]])
        length += sum(ms for _, ms in chosen[-1]["phones"]) / 1000 / rate
        if length > seconds + 0.5:
            break
    return chosen


def segments(phones: list, rate: float, habits: Habits, rng: np.random.Generator) -> list[Segment]:
    """Segments of one sentence from its timeline [(IPA, ms), ...], with this person's rhythm."""
    timed: list[Segment] = []
    for symbol, ms in phones:
        seconds = max(ms, 0) / 1000 / rate * np.exp(0.08 * rng.standard_normal())
        parsed, stress = parse(symbol)
        if not parsed:
            if ms > 0:
                timed.append(Segment("silence", seconds * habits.rhythm["pause"]))
            continue
        share = np.array([1.0 if p.letter in VOWELS else 0.55 for p in parsed])
        share /= share.sum()
        for i, phone in enumerate(parsed):
            following = parsed[i + 1].letter if i + 1 < len(parsed) else ""
            timed += _articulate(phone, following, seconds * share[i], stress, habits)
    return timed


def _articulate(phone, following: str, seconds: float, stress: int, habits: Habits) -> list[Segment]:
    """The segments of one phone: a stop is closure, burst and breath, a vowel is one target."""
    letter, rhythm = phone.letter, habits.rhythm
    if letter in VOWELS:
        seconds *= rhythm["vowel"]
        return [Segment("vowel", seconds, VOWELS[letter], 1.0, letter, stress=stress, nasal=phone.nasal)]
    kind, formants, locus, place = CONSONANTS[letter]
    common = {"formants": formants, "phone": letter, "locus": locus, "stress": stress}

    def part(kind, seconds, weight=locus, **more) -> Segment:
        return Segment(kind, seconds, weight=weight, **common, **more)

    if kind in ("stop", "voiced_stop"):
        voiced = kind == "voiced_stop"
        affricate = following in CONSONANTS and "fricative" in CONSONANTS[following].kind
        breath = (0.045 if phone.aspirated else 0.0 if voiced else 0.016) * rhythm["breath"]
        burst = 0.006 if voiced else 0.010
        closure = max(seconds * rhythm["closure"] - (0 if affricate else breath + burst), 0.025)
        parts = [part("closure", closure, voicing=0.13 * rhythm["prevoicing"] if voiced else 0.0)]
        if not affricate:
            parts.append(part("burst", burst, place=place))
            if breath:
                parts.append(part("aspirate", breath, 0.15))
        return parts
    if kind == "nasal":
        return [part("nasal", seconds, place=place)]
    if kind in ("fricative", "voiced_fricative"):
        parts = [part(kind, seconds * rhythm["fricative"], place=place)]
        return [*parts, part("aspirate", 0.04, 0.1)] if phone.aspirated else parts
    if kind == "trill":
        beats = max(1, round(seconds / 0.045))
        return [part("tap", 0.018), part("approximant", 0.027)] * beats
    if kind == "tap":
        return [part("tap", min(seconds, 0.025)), part("approximant", max(seconds - 0.025, 0.01))]
    if kind == "glottal":
        return [part("silence", min(seconds, 0.04), 0.02)]
    return [part(kind, seconds, 0.05 if kind == "aspirate" else locus)]
