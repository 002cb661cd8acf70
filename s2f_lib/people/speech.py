"""Speech of synthetic people: six seconds at 16 kHz in eight languages, by our own source-filter synthesiser.

    waveform = speak(person)                                  # clip 0, with a room around it
    waveform, tracks = speak(person, channel=False, return_tracks=True)
    waveform = speak(person, voice={"vtl": 18.5})             # the same person with a longer vocal tract
    waveform = speak(person, language="tr")                   # the same person, another language

A clip follows from ``(person.seed, person.id, item)`` and is bit-identical when repeated on one machine.
"""

import numbers
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from s2f_lib.people import channel as channel_module
from s2f_lib.people import habits, score
from s2f_lib.people import manner as manners
from s2f_lib.people.causes import NODES
from s2f_lib.people.parallel import in_order
from s2f_lib.people.quotas import whole
from s2f_lib.people.source_filter import HOP, LEVEL, SAMPLE_RATE, render
from s2f_lib.people.tracks import FRAME, articulate

SECONDS = (1.0, 12.0)  # shortest and longest clip
FREE = "free"  # sentences that nobody wrote, in a manner of their own
CHUNK = 16  # people a worker speaks for at a time


@dataclass(frozen=True)
class Truth:
    """What was synthesised, every 5 ms; the first frame starts at time zero.

    All arrays end where the speech ends, and rarely that is up to half a second before the clip does: sentences are
    chosen by their length at the person's rate, and the habits of a fast speaker (`habits.Habits.rhythm`) come on top.
    The rest of the waveform is then silence, or the room.
    """

    time: np.ndarray  # (frames,), s, middle of the frame
    f0: np.ndarray  # (frames,), Hz; meaningful where `voiced`
    formants: np.ndarray  # (frames, 3), Hz
    voiced: np.ndarray  # (frames,), bool
    vowel: np.ndarray  # (frames,), bool
    text: tuple[str, ...]  # the sentences, the last one may be cut off
    language: str


def speak(
    person,
    item: int = 0,
    sentences: str = "train",
    channel: bool | float = True,
    return_tracks: bool = False,
    *,
    voice: dict | None = None,
    language: str | None = None,
    seconds: float = 6.0,
):
    """Let a person say something.

    Parameters
    ----------
    person : population.Person
    item : int
        Number of the clip, 0 or more: other sentences, another room.
    sentences : str
        ``"train"`` (18 per language) or ``"test"`` (6); the two share none. ``"free"``: invented utterances, never the
        same twice, in a manner that is new for every clip (`manner`).
    channel : bool or float
        Room, microphone and background noise; a number between 0 and 1 sets their strength.
    return_tracks : bool
        Also return the true pitch and formants.
    voice : dict, optional
        Voice parameters that replace the person's own, for example ``{"f0": 180}``.
    language : str, optional
        Speak this language instead of the person's own.
    seconds : float
        Length of the clip, 1 to 12.

    Returns
    -------
    waveform : np.ndarray, shape (seconds * 16_000,), float32, in [-1, 1]
    truth : Truth
        Only with `return_tracks`.

    Raises
    ------
    ValueError
        For an unknown language, set of sentences or voice parameter, or an impossible value; the message says what is
        possible.
    """
    check(item, seconds, channel, voice)
    language = person.language if language is None else language
    if sentences != FREE:
        score.sentences(language, sentences)  # both are known, or this says what is
    voice = {**person.voice, **(voice or {})}
    order = np.random.default_rng([person.seed, person.id, zlib.crc32(sentences.encode())])
    rng = np.random.default_rng([person.seed, person.id, item, zlib.crc32(sentences.encode())])
    if sentences == FREE:
        voice = manners.applied(manners.draw(rng), voice)
        chosen = manners.utterances(language, seconds, voice["rate"], rng)
    else:
        chosen = score.choose(language, sentences, item, seconds, voice["rate"], order)
    personal = habits.draw(voice["idiolect"])
    samples, frames = round(seconds * SAMPLE_RATE), int(np.ceil(seconds * SAMPLE_RATE / HOP))
    tracks = articulate(chosen, voice, personal, rng)
    tracks = tracks.cut(frames)
    sound, truth = render(tracks, voice, personal, rng)
    sound = np.pad(sound, (0, max(0, samples - len(sound))))[:samples]
    sound = at_level(sound)
    if channel:
        sound = channel_module.apply(sound, rng.spawn(1)[0], float(channel))
    if not return_tracks:
        return sound
    time, texts = (np.arange(len(tracks)) + 0.5) * FRAME, tuple(s["text"] for s in chosen)
    voiced, vowel = tracks.voicing > 0.1, (tracks.vowel > 0.5) & (tracks.voicing > 0.55)
    return sound, Truth(time, truth["f0"], truth["formants"], voiced, vowel, texts, language)


def at_level(sound: np.ndarray) -> np.ndarray:
    """Sound (samples,) at the loudness of every clip, root mean square `LEVEL`; float32."""
    return (sound * (LEVEL / np.sqrt(np.mean(sound**2) + 1e-12))).astype(np.float32)


def check(item: int, seconds: float, channel: float, voice: dict | None) -> None:
    """Refuse what no clip can be made of, with a ValueError that says what came in and what is possible."""
    if not whole(item) or item < 0:
        raise ValueError(f"item is {item!r}; clips are numbered 0, 1, 2, ...")
    if not isinstance(seconds, numbers.Real) or not SECONDS[0] <= seconds <= SECONDS[1]:
        raise ValueError(f"seconds is {seconds!r}; clips of {SECONDS[0]:g} to {SECONDS[1]:g} s can be made")
    if not isinstance(channel, (numbers.Real, np.bool_)) or not 0 <= channel <= 1:
        raise ValueError(f"channel is {channel!r}; wanted True, False or a strength from 0 to 1")
    if not isinstance(voice, (dict, type(None))):
        raise ValueError(f'voice is {voice!r}; wanted voice parameters by name, for example {{"f0": 180}}')
    voice = voice or {}
    nodes = {n.name: n for n in NODES if n.kind == "voice"}
    for name, value in voice.items():
        if name == "idiolect":
            if not isinstance(value, numbers.Integral) or value < 0:
                raise ValueError(f"idiolect is {value!r}; wanted the number of a speaker's habits, 0 or more")
            continue
        if name not in nodes:
            raise ValueError(f"unknown voice parameter {name!r}; known: {', '.join(nodes)}, idiolect")
        low, high = nodes[name].low, nodes[name].high
        if not isinstance(value, numbers.Real) or not low <= value <= high:
            raise ValueError(f"voice parameter {name} is {value}; wanted {low:g} to {high:g} {nodes[name].unit}")


def speak_many(population, items=(0,), workers: int = 2, **options) -> np.ndarray:
    """Clips of many people, (people, items, samples) int16: divide by 32_768 for the range of `speak`.

    Parameters
    ----------
    population : population.Population
    items : int or sequence of int
        Numbers of the clips, or how many (``2`` means clips 0 and 1).
    workers : int
        Processes; 1 stays in this one. The result does not depend on it.
    **options
        As for `speak`: sentences, channel, language, seconds, voice.

    See Also
    --------
    stream : for more than memory holds; a clip has 192 kB.
    """
    items = _numbers(items)
    samples = round(options.get("seconds", 6.0) * SAMPLE_RATE)
    out = np.empty((len(population), len(items), samples), np.int16)
    done = 0
    for clips in stream(population, items, workers, **options):
        out[done : done + len(clips)] = clips
        done += len(clips)
    return out


def stream(population, items=(0,), workers: int = 2, **options) -> Iterator[np.ndarray]:
    """As `speak_many`, but yields (up to 16 people, items, samples) int16 in the order of the population."""
    work = partial(_speak_part, items=_numbers(items), options=options)
    yield from in_order(work, population, CHUNK, workers)


def _numbers(items) -> list[int]:
    numbers_of_clips = list(range(items) if isinstance(items, (int, np.integer)) else items)
    if not numbers_of_clips:
        raise ValueError(f"items is {items!r}, which is no clip; wanted how many, or their numbers")
    return numbers_of_clips


def _speak_part(population, items, options) -> np.ndarray:
    clips = [[speak(person, item, **options) for item in items] for person in population]
    return np.round(np.clip(np.array(clips), -1, 1) * 32_767).astype(np.int16)
