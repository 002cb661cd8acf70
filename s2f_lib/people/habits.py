"""Habits: what makes a voice personal and has nothing to do with the face.

Every person has offsets of their own for each phone, a colour of their own above the third formant, a rhythm, a
melody and a way of using loudness. They are drawn from one number, ``voice["idiolect"]``, which no arrow reaches.
"""

from dataclasses import dataclass

import numpy as np

from s2f_lib.people.phones import CONSONANTS, PLACES, VOWELS

PHONES = tuple(sorted([*VOWELS, *CONSONANTS]))
IS_VOWEL = np.array([phone in VOWELS for phone in PHONES])
COLOUR_KNOTS = np.array([0.0, 500, 1400, 2800, 4600, 6300, 8000])  # Hz, interpolated on a smooth curve
COLOUR_SD = np.array([5.5, 5.0, 5.5, 6.0, 6.5, 7.0, 7.0])  # dB between people


@dataclass(frozen=True)
class Habits:
    """Personal articulation, drawn once per person."""

    phones: dict  # phone -> factors on F1, F2, F3
    upper_formants: np.ndarray  # factors on F4 to F8, the first is 1
    bandwidths: np.ndarray  # factors on B1 to B8
    noise_gain: np.ndarray  # per place of articulation
    noise_pitch: np.ndarray  # per place of articulation
    colour: np.ndarray  # dB at COLOUR_KNOTS: radiation, larynx tube, cheeks
    zero: tuple[float, float]  # side branch of the throat: frequency in Hz for the reference tract, depth 0 to 1
    rhythm: dict  # factors on the length of vowels, closures, fricatives, breath, pauses
    declination: float  # semitones per second
    final: float  # semitones at the end of a phrase
    creak: float  # 0 to 1, at the end of phrases
    dynamics: float  # size of all loudness movements, 1 = average
    accent: float  # dB per stress level


def draw(idiolect: int, size: float = 1.0) -> Habits:
    """Habits of one person, which ``Population.voice["idiolect"]`` decides; with `size` 0 those of nobody."""
    rng = np.random.default_rng([int(idiolect), 99])

    def spread(sd, *shape):
        return np.exp(size * sd * rng.standard_normal(shape or None))

    offsets = size * 0.065 * rng.standard_normal((len(PHONES), 3)) * (1, 0.8, 0.5)
    offsets -= offsets[IS_VOWEL].mean(axis=0)  # the average vowel belongs to the anatomy
    upper = spread(0.06, 5)
    upper[0] = 1.0  # F4 is a voice parameter of its own
    return Habits(
        phones=dict(zip(PHONES, np.exp(offsets), strict=True)),
        upper_formants=upper,
        bandwidths=spread(0.25, 8),
        noise_gain=spread(0.35, len(PLACES)),
        noise_pitch=spread(0.05, len(PLACES)),
        colour=size * COLOUR_SD * rng.standard_normal(len(COLOUR_KNOTS)),
        zero=(float(4400 * spread(0.08)), float(0.6 * size * rng.random())),
        rhythm={
            "vowel": float(spread(0.15)),
            "closure": float(spread(0.16)),
            "fricative": float(spread(0.16)),
            "breath": float(spread(0.25)),
            "prevoicing": float(spread(0.4)),
            "pause": float(spread(0.45)),
        },
        declination=float(size * 0.45 * rng.standard_normal()),
        final=float(size * 1.2 * rng.standard_normal()),
        creak=float(size * rng.random() ** 2),
        dynamics=float(spread(0.35)),
        accent=float(1.6 * spread(0.3)),
    )
