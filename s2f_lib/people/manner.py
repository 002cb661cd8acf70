"""Manner: how one clip is said, and what is said, when a person does not read from a script.

The committed sentences are read evenly, always with the same effort. People are not like that: they raise their voice,
hurry, mumble, and never say the same thing twice. Here each clip gets a manner of its own, drawn per clip and not per
person, and an utterance that nobody wrote: phones in an order that the language allows, with its lengths and melodies.
No arrow reaches either, so what a voice tells about a face stays what it is, only harder to hear.
"""

from dataclasses import dataclass

import numpy as np

from s2f_lib.people import score
from s2f_lib.people.causes import NODES

LIMITS = {node.name: (node.low, node.high) for node in NODES if node.kind == "voice"}
JUMP = 0.4  # chance to go on in another sentence wherever the same phone is said
RISING = 0.2  # share of utterances that end like a question


@dataclass(frozen=True)
class Manner:
    """One clip's way of speaking; zero and one everywhere is the person's own habit.

    Raised voice lifts the pitch by up to half an octave and the first formant by up to a tenth, and flattens
    the source spectrum (Liénard & Di Benedetto 1999; Traunmüller & Eriksson 2000); rate and pitch range vary within a
    person by about a quarter as much again as between moods of read speech (Murray & Arnott 1993); breath, bandwidth
    and glottal pulse are our choice.
    """

    effort: float = 0.0  # 0 = as usual, 1 = calling across a street
    pitch: float = 0.0  # semitones, beside those of the effort
    liveliness: float = 1.0  # factor on the range of the melody
    rate: float = 1.0  # factor on the speed
    breath: float = 1.0  # factor on breath noise
    width: float = 1.0  # factor on the formants' bandwidths
    tilt: float = 0.0  # dB at 3 kHz, beside that of the effort
    open_quotient: float = 0.0  # beside that of the effort
    asymmetry: float = 0.0


def draw(rng: np.random.Generator) -> Manner:
    """The manner of one clip."""
    normal = rng.standard_normal(8)
    return Manner(
        effort=float(rng.beta(1.0, 2.2)),
        pitch=float(0.8 * normal[0]),
        liveliness=float(np.exp(0.30 * normal[1])),
        rate=float(np.exp(0.14 * normal[2])),
        breath=float(np.exp(0.50 * normal[3])),
        width=float(np.exp(0.18 * normal[4])),
        tilt=float(2.0 * normal[5]),
        open_quotient=float(0.04 * normal[6]),
        asymmetry=float(0.012 * normal[7]),
    )


def applied(manner: Manner, voice: dict) -> dict:
    """The voice parameters of a person (see `causes.NODES`) as they are in one clip, within their limits.

    Examples
    --------
    >>> from s2f_lib import people
    >>> voice = people.sample(1)[0].voice
    >>> applied(Manner(), voice) == voice
    True
    >>> bool(applied(Manner(effort=1.0), voice)["f0"] > 1.4 * voice["f0"])
    True
    """
    e = manner.effort
    changed = {
        "f0": voice["f0"] * 2 ** (0.5 * e + manner.pitch / 12),
        "f0_range": voice["f0_range"] * manner.liveliness,
        "s1": voice["s1"] * (1 + 0.10 * e),
        "tilt": voice["tilt"] - 5.0 * e + manner.tilt,
        "oq": voice["oq"] - 0.08 * e + manner.open_quotient,
        "am": voice["am"] + manner.asymmetry,
        "bw": voice["bw"] * manner.width,
        "breath": voice["breath"] * manner.breath * (1 - 0.5 * e),
        "rate": voice["rate"] * manner.rate * (1 - 0.1 * e),
    }
    return {**voice, **{name: _within(name, voice[name], value) for name, value in changed.items()}}


def _within(name: str, before: float, value: float) -> float:
    """Keep a changed value inside the limits of its node; an unchanged one passes bit for bit."""
    return before if value == before else float(np.clip(value, *LIMITS[name]))


def utterances(language: str, seconds: float, rate: float, rng: np.random.Generator) -> list[dict]:
    """Invented utterances, enough for `seconds` at speaking rate `rate`; scores as those of `score.choose`.

    A walk over the training sentences of the language: from each phone on to what follows it there, or to what follows
    the same phone in another sentence. So every pair of phones occurs in the language, with the length it has there;
    the melody is that of one sentence, stretched, and sometimes turned up at the end. No test sentence is used. A
    ``text`` is empty: nobody wrote it.
    """
    pool = score.sentences(language, "train")
    said, length = [], score.REST
    while length <= seconds + 0.5:
        said.append(_utterance(pool, rng))
        length += sum(ms for _, ms in said[-1]["phones"]) / 1000 / rate
    return said


def _utterance(pool: list[dict], rng: np.random.Generator) -> dict:
    occurrences: dict[str, list[tuple[int, int]]] = {}
    for i, sentence in enumerate(pool):
        for k, (symbol, _) in enumerate(sentence["phones"][:-1]):
            occurrences.setdefault(symbol, []).append((i, k))
    count = int(rng.integers(8, 60))
    sentence, place = int(rng.integers(len(pool))), 0
    phones: list[tuple[str, float]] = []
    while len(phones) < count:
        symbol, ms = pool[sentence]["phones"][place]
        phones.append((symbol, ms * float(np.exp(0.12 * rng.standard_normal()))))
        if symbol in occurrences and (rng.random() < JUMP or place + 1 == len(pool[sentence]["phones"])):
            sentence, place = occurrences[symbol][rng.integers(len(occurrences[symbol]))]
        elif place + 1 == len(pool[sentence]["phones"]):  # this sound ends sentences only
            sentence, place = int(rng.integers(len(pool))), -1
        place += 1
    melody = np.asarray(pool[rng.integers(len(pool))]["semitones"], float)
    if rng.random() < RISING:
        melody = melody + 6 * np.clip(np.linspace(-3, 1, len(melody)), 0, 1)
    return {"phones": phones, "semitones": melody.tolist(), "text": ""}
