"""From segments to smooth control tracks: formants, voicing, noise, pitch and loudness, one value every 5 ms.

Targets are smoothed by a window whose length is the person's coarticulation time, weighted by how strongly each phone
insists on its target, so that weak targets are coloured by their neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from s2f_lib.people.habits import Habits
from s2f_lib.people.phones import NEUTRAL, NOISES, PLACES, REFERENCE_VTL
from s2f_lib.people.score import REST, Segment, segments

FRAME = 0.005  # s
UPPER_FORMANTS = np.array([2 * k - 1 for k in range(4, 9)]) * 35_000 / (4 * REFERENCE_VTL)  # Hz, F4 to F8 of a tube
VOICING = {"vowel": (0.72, 0.86, 1.0), "nasal": 0.5, "approximant": 0.6, "tap": 0.2, "voiced_fricative": 0.3}
SMOOTHING = {"voicing": 35, "aspiration": 25, "frication": 40, "nasal": 45, "nasal_zero": 45, "gain": 60}  # ms


@dataclass
class Tracks:
    """Control tracks, each of shape (frames,), before the speaker's own anatomy is applied."""

    formants: np.ndarray  # (frames, 3), Hz, for the reference tract
    voicing: np.ndarray  # amplitude of the glottal pulses
    aspiration: np.ndarray
    frication: np.ndarray
    place: np.ndarray  # index into phones.PLACES
    nasal: np.ndarray  # 0 to 1
    nasal_zero: np.ndarray  # Hz
    vowel: np.ndarray  # 1 in vowels
    semitones: np.ndarray  # melody around zero
    gain: np.ndarray  # dB, loudness movements
    creak: np.ndarray  # 0 to 1

    def __len__(self) -> int:
        return len(self.voicing)

    def cut(self, frames: int) -> Tracks:
        """The first `frames` frames."""
        return Tracks(**{name: track[:frames] for name, track in vars(self).items()})


def smooth(track: np.ndarray, ms: float, weight: np.ndarray | None = None) -> np.ndarray:
    """Smooth by a raised cosine of `ms` milliseconds, weighted by `weight`; edges are held."""
    width = max(3, int(ms / 1000 / FRAME) | 1)
    window = np.hanning(width + 2)[1:-1]
    window /= window.sum()

    def run(x):
        return np.convolve(np.pad(x, width // 2, mode="edge"), window, "valid")

    return run(track) if weight is None else run(track * weight) / np.maximum(run(weight), 1e-6)


def articulate(chosen: list[dict], voice: dict, habits: Habits, rng: np.random.Generator) -> Tracks:
    """Control tracks of some sentences (see `score.choose`) said one after the other by this person."""
    timeline, melody, loudness = [Segment("silence", REST)], [np.zeros(round(REST / FRAME))], []
    loudness.append(np.zeros(len(melody[0])))
    for score in chosen:
        part = segments(score["phones"], voice["rate"], habits, rng)
        frames = round(sum(s.seconds for s in part) / FRAME)
        position = np.linspace(0, 1, frames)
        contour = np.interp(position, np.linspace(0, 1, len(score["semitones"])), score["semitones"])
        ending = np.clip((position - 1) * frames * FRAME / 0.35 + 1, 0, 1)  # rises from 0 to 1 in the last 0.35 s
        melody.append(contour + habits.declination * (0.5 - position) * frames * FRAME + habits.final * ending)
        loudness.append(2.0 - 4.5 * position - 4.0 * ending**2 + 1.5 * rng.standard_normal())
        pause = 0.35 * habits.rhythm["pause"] * np.exp(0.25 * rng.standard_normal()) / voice["rate"]
        timeline += [*part, Segment("silence", pause)]
        melody.append(np.full(int(pause / FRAME), melody[-1][-1]))
        loudness.append(np.full(len(melody[-1]), loudness[-1][-1]))
    return _tracks(timeline, np.concatenate(melody), np.concatenate(loudness), voice, habits, rng)


def _tracks(timeline, melody, loudness, voice, habits, rng) -> Tracks:
    edges = np.round(np.cumsum([0.0] + [s.seconds for s in timeline]) / FRAME).astype(int)
    frames = int(edges[-1])
    track = {name: np.zeros(frames) for name in Tracks.__dataclass_fields__}
    track["formants"], track["place"] = np.zeros((frames, 3)), np.zeros(frames, int)
    track["nasal_zero"] += 600.0
    weight = np.full(frames, 0.02)
    vowels = [s.formants if s.kind == "vowel" else None for s in timeline]
    for i, segment in enumerate(timeline):
        where = slice(edges[i], edges[i + 1])
        if edges[i + 1] > edges[i]:
            track["formants"][where] = _target(i, segment, vowels, habits)
            weight[where] = max(segment.weight, 0.02)
            _excite(track, where, segment, habits)
    stretch = np.interp(np.arange(frames), np.linspace(0, frames - 1, len(melody)), np.arange(len(melody)))
    track["semitones"] = smooth(np.interp(stretch, np.arange(len(melody)), melody), 45)
    slow = smooth(rng.standard_normal(frames), 300)
    track["gain"] += np.interp(stretch, np.arange(len(loudness)), loudness)
    track["gain"] += 2.0 * slow / max(slow.std(), 1e-6) + 0.5 * np.clip(track["semitones"], -6, 6)
    track["gain"] *= habits.dynamics
    for k in range(3):
        track["formants"][:, k] = smooth(track["formants"][:, k], voice["coart"] / voice["rate"], weight)
    for name, ms in SMOOTHING.items():
        track[name] = smooth(track[name], ms)
    track["creak"] = habits.creak * np.clip(-track["semitones"] / 3 - 0.6, 0, 1)
    return Tracks(**track)


def _target(i: int, segment: Segment, vowels: list, habits: Habits) -> np.ndarray:
    """Formant target of a segment: a consonant's second formant leans on the neighbouring vowel (locus equation)."""
    formants = np.array(segment.formants, float)
    if segment.locus is not None:
        near = [vowels[j] for j in (i + 1, i + 2, i + 3, i - 1, i - 2) if 0 <= j < len(vowels) and vowels[j]]
        if near:
            formants[1] = segment.locus * formants[1] + (1 - segment.locus) * near[0][1]
            formants[2] = 0.8 * formants[2] + 0.2 * near[0][2]
    return formants * habits.phones.get(segment.phone, 1.0)


def _excite(track: dict, where: slice, segment: Segment, habits: Habits) -> None:
    """What sounds during a segment: voice, breath, friction, the nose."""
    kind = segment.kind
    if kind == "vowel":
        track["voicing"][where] = VOICING["vowel"][segment.stress]
        track["gain"][where] = habits.accent * (segment.stress - 1)
        track["nasal"][where] = 0.9 * segment.nasal
        track["vowel"][where] = 1
    elif kind in VOICING:
        track["voicing"][where] = VOICING[kind]
    elif kind == "closure":
        track["voicing"][where] = segment.voicing
    elif kind == "aspirate":
        track["aspiration"][where] = 1.0
    if kind == "nasal":
        track["nasal"][where] = 1.0
        track["nasal_zero"][where] = segment.place
    elif kind in ("burst", "fricative", "voiced_fricative"):
        track["frication"][where] = _friction(segment, where.stop - where.start)
        track["place"][where] = PLACES.index(segment.place)


def _friction(segment: Segment, frames: int) -> np.ndarray:
    """Strength of a noise: a burst is short and even, a fricative swells and fades."""
    if segment.kind == "burst":
        return np.full(frames, 1.4 * NOISES[segment.place].burst)
    hump = 0.3 + 0.8 * np.sin(np.pi * (np.arange(frames) + 0.5) / frames)
    return hump * (1.0 if segment.kind == "fricative" else 0.45)


def bandwidths(formants: np.ndarray, f4: float, scale: float) -> np.ndarray:
    """Bandwidths in Hz of the first three formants (frames, 3), after Fant 1972 and Hawks & Miller 1995."""
    f1, f2, f3 = formants.T
    b1 = 15 * (500 / f1) ** 2 + 20 * np.sqrt(f1 / 500) + 5 * (f1 / 500) ** 2 + 18
    b2 = 22 + 16 * (f1 / 500) ** 2 + 12_000 / np.maximum(f3 - f2, 300) + 15
    b3 = 25 * (f1 / 500) ** 2 + 4 * (f2 / 500) ** 2 + 10 * f3 / np.maximum(f4 - f3, 400) + 30
    return np.column_stack([b1, b2, b3]) * scale


def formants(tracks: Tracks, voice: dict, habits: Habits) -> tuple[np.ndarray, np.ndarray]:
    """Formants of this speaker in Hz: three that move (frames, 3) and five that stand still (5,).

    ``F_k = F_reference,k(phone) * 17 cm / tract length * s_k``, with the vowel space stretched around its centre by
    ``voice["space"]``. Neighbours are kept apart, so that no two formants cross.
    """
    k = REFERENCE_VTL / voice["vtl"]
    upper = np.sort(UPPER_FORMANTS * k * np.array([voice["s4"], 1, 1, 1, 1]) * habits.upper_formants)
    centre, space = np.array(NEUTRAL), np.array([voice["space"], voice["space"], 1.0])
    wanted = centre * (tracks.formants / centre) ** space * k * np.array([voice["s1"], voice["s2"], voice["s3"]])
    f1 = wanted[:, 0]
    f2 = np.maximum(wanted[:, 1], f1 + 180)
    f3 = np.minimum(np.maximum(wanted[:, 2], f2 + 250), upper[0] - 300)
    return np.column_stack([f1, np.minimum(f2, f3 - 200), f3]), upper
