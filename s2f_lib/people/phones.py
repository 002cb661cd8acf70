"""Phones: formant targets of vowels and consonants, noise spectra of places of articulation, and the IPA parser.

Vowel targets are those of adult men (Hillenbrand et al. 1995 for the English ones, interpolated elsewhere) for a vocal
tract of 17 cm; consonants have a target of their own and a weight that says how much of it is left beside a vowel
(locus equations).
"""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

REFERENCE_VTL = 17.0  # cm; all formants in this file belong to a tract of this length
NEUTRAL = (500.0, 1450.0, 2500.0)  # Hz, F1 to F3 of the tract at rest

VOWELS = {  # F1, F2, F3 in Hz
    "i": (342, 2322, 3000), "ɪ": (427, 2034, 2684), "e": (440, 2089, 2691), "ɛ": (580, 1799, 2605),
    "æ": (640, 1850, 2550), "ɑ": (768, 1250, 2522), "ɔ": (620, 980, 2538), "o": (497, 910, 2459),
    "ʊ": (469, 1122, 2434), "u": (378, 940, 2343), "ʌ": (623, 1200, 2550), "ɜ": (500, 1400, 2350),
    "ɚ": (480, 1350, 1750), "ɝ": (474, 1379, 1710), "ə": (500, 1450, 2500), "a": (750, 1330, 2520),
    "ɐ": (650, 1350, 2500), "y": (310, 1900, 2250), "ʏ": (390, 1700, 2250), "ø": (420, 1560, 2250),
    "œ": (550, 1500, 2350), "ɨ": (350, 1650, 2450), "ɯ": (350, 1250, 2350), "ɤ": (470, 1150, 2450),
    "ɒ": (660, 960, 2500), "ɵ": (430, 1400, 2300), "ᵻ": (430, 1850, 2600), "ɘ": (430, 1600, 2500),
}  # fmt: skip


class Consonant(NamedTuple):
    """Manner, formant targets (Hz), weight of the own F2 against the vowel's, and where its noise or zero lies."""

    kind: str  # stop, voiced_stop, glottal, fricative, voiced_fricative, aspirate, nasal, approximant, tap, trill
    formants: tuple[float, float, float]
    locus: float
    place: str | float = ""  # a key of NOISES; for nasals the zero of the closed mouth, in Hz


CONSONANTS = {
    "p": Consonant("stop", (300, 900, 2250), 0.55, "labial"),
    "t": Consonant("stop", (300, 1750, 2700), 0.75, "alveolar"),
    "k": Consonant("stop", (300, 1750, 2200), 0.40, "velar"),
    "ʈ": Consonant("stop", (300, 1600, 2200), 0.75, "retroflex"),
    "c": Consonant("stop", (300, 2150, 2900), 0.80, "palatal"),
    "q": Consonant("stop", (400, 1150, 2300), 0.60, "uvular"),
    "b": Consonant("voiced_stop", (250, 900, 2250), 0.55, "labial"),
    "d": Consonant("voiced_stop", (250, 1750, 2700), 0.75, "alveolar"),
    "ɡ": Consonant("voiced_stop", (250, 1750, 2200), 0.40, "velar"),
    "g": Consonant("voiced_stop", (250, 1750, 2200), 0.40, "velar"),
    "ɖ": Consonant("voiced_stop", (250, 1600, 2200), 0.75, "retroflex"),
    "ɟ": Consonant("voiced_stop", (250, 2150, 2900), 0.80, "palatal"),
    "ʔ": Consonant("glottal", NEUTRAL, 0.0),
    "f": Consonant("fricative", (320, 1000, 2300), 0.50, "labial"),
    "θ": Consonant("fricative", (320, 1400, 2600), 0.60, "dental"),
    "s": Consonant("fricative", (320, 1700, 2650), 0.75, "s"),
    "ʃ": Consonant("fricative", (320, 1850, 2550), 0.75, "sh"),
    "ʂ": Consonant("fricative", (320, 1650, 2300), 0.75, "retroflex"),
    "ɕ": Consonant("fricative", (320, 2050, 2800), 0.80, "alveolopalatal"),
    "ç": Consonant("fricative", (300, 2150, 2900), 0.80, "palatal"),
    "x": Consonant("fricative", (350, 1500, 2250), 0.40, "velar"),
    "χ": Consonant("fricative", (450, 1150, 2300), 0.50, "uvular"),
    "ħ": Consonant("fricative", (650, 1300, 2400), 0.50, "uvular"),
    "v": Consonant("voiced_fricative", (280, 1000, 2300), 0.50, "labial"),
    "ð": Consonant("voiced_fricative", (280, 1400, 2600), 0.60, "dental"),
    "z": Consonant("voiced_fricative", (280, 1700, 2650), 0.75, "s"),
    "ʒ": Consonant("voiced_fricative", (280, 1850, 2550), 0.75, "sh"),
    "ʐ": Consonant("voiced_fricative", (280, 1650, 2200), 0.75, "retroflex"),
    "ʑ": Consonant("voiced_fricative", (280, 2050, 2800), 0.80, "alveolopalatal"),
    "ɣ": Consonant("voiced_fricative", (320, 1500, 2250), 0.40, "velar"),
    "ʁ": Consonant("voiced_fricative", (400, 1150, 2300), 0.50, "uvular"),
    "β": Consonant("voiced_fricative", (280, 950, 2250), 0.50, "labial"),
    "ʕ": Consonant("voiced_fricative", (650, 1300, 2400), 0.50, "uvular"),
    "ʝ": Consonant("voiced_fricative", (280, 2150, 2900), 0.80, "palatal"),
    "h": Consonant("aspirate", NEUTRAL, 0.0),
    "ɦ": Consonant("aspirate", NEUTRAL, 0.0),
    "m": Consonant("nasal", (260, 1050, 2250), 0.60, 1000.0),
    "n": Consonant("nasal", (260, 1600, 2600), 0.70, 1650.0),
    "ɲ": Consonant("nasal", (260, 2100, 2850), 0.80, 2300.0),
    "ŋ": Consonant("nasal", (260, 1800, 2300), 0.45, 3200.0),
    "ɳ": Consonant("nasal", (260, 1500, 2250), 0.70, 1650.0),
    "ɴ": Consonant("nasal", (260, 1300, 2300), 0.50, 3500.0),
    "l": Consonant("approximant", (350, 1250, 2700), 0.80),
    "ɫ": Consonant("approximant", (400, 900, 2600), 0.85),
    "ʎ": Consonant("approximant", (300, 2050, 2800), 0.85),
    "ɭ": Consonant("approximant", (350, 1400, 2200), 0.80),
    "ɹ": Consonant("approximant", (350, 1150, 1650), 0.90),
    "ɻ": Consonant("approximant", (350, 1300, 1750), 0.90),
    "j": Consonant("approximant", (290, 2200, 2950), 0.90),
    "w": Consonant("approximant", (300, 720, 2250), 0.90),
    "ʋ": Consonant("approximant", (300, 1050, 2250), 0.70),
    "ɥ": Consonant("approximant", (290, 1800, 2200), 0.90),
    "ɰ": Consonant("approximant", (330, 1400, 2300), 0.70),
    "ɾ": Consonant("tap", (400, 1600, 2600), 0.70),
    "r": Consonant("trill", (450, 1400, 2500), 0.70),
}


class Noise(NamedTuple):
    """Spectrum of a turbulent source: resonances (Hz, bandwidth in Hz, gain), gain of the floor, overall level."""

    peaks: tuple[tuple[float, float, float], ...]
    floor: float
    level: float
    roll_off: float  # Hz; above it the spectrum falls by 12 dB per octave


NOISES = {
    "labial": Noise(((1200, 2500, 0.35), (6200, 3600, 0.5)), 0.16, 0.10, 6800),
    "dental": Noise(((1600, 2000, 0.35), (6300, 3000, 0.6)), 0.12, 0.11, 7000),
    "alveolar": Noise(((3800, 1500, 0.8), (5600, 2200, 1.0)), 0.06, 0.55, 6800),
    "s": Noise(((5200, 1200, 1.0), (6900, 1600, 0.55)), 0.012, 1.0, 7000),
    "sh": Noise(((2700, 700, 1.0), (4600, 1700, 0.5)), 0.012, 0.9, 6000),
    "retroflex": Noise(((2250, 600, 1.0), (3600, 1400, 0.5)), 0.02, 0.9, 5500),
    "alveolopalatal": Noise(((3300, 800, 1.0), (5600, 2000, 0.55)), 0.012, 0.95, 6500),
    "palatal": Noise(((3100, 700, 1.0), (4400, 1500, 0.4)), 0.02, 0.65, 6000),
    "velar": Noise(((1700, 500, 1.0), (3600, 1500, 0.25)), 0.03, 0.55, 5000),
    "uvular": Noise(((1150, 450, 1.0), (2500, 1200, 0.3)), 0.04, 0.45, 4500),
}
PLACES = tuple(NOISES)
BURST_LEVEL = {"labial": 0.35, "alveolar": 1.0, "retroflex": 1.0, "palatal": 1.0, "velar": 1.1, "uvular": 1.0}
RETROFLEX = {"s": "ʂ", "z": "ʐ", "r": "ɻ", "i": "ɨ", "t": "ʈ"}  # espeak writes Mandarin's as "s." and so on


class Phone(NamedTuple):
    """One sound of a symbol: its letter, and whether it is aspirated or nasalised."""

    letter: str
    aspirated: bool = False
    nasal: bool = False


def parse(symbol: str) -> tuple[list[Phone], int]:
    """Split an IPA symbol of espeak-ng into phones and its stress (0 none, 1 secondary, 2 primary).

    Length marks, tones and letters that no table knows are dropped; an empty list means silence.

    Examples
    --------
    >>> parse("ˈaɪ")
    ([Phone(letter='a', aspirated=False, nasal=False), Phone(letter='ɪ', aspirated=False, nasal=False)], 2)
    """
    letters = unicodedata.normalize("NFD", symbol).replace("c\u0327", "ç")  # keep c with cedilla whole
    stress = 2 if "ˈ" in letters else 1 if "ˌ" in letters else 0
    phones: list[Phone] = []
    for letter in letters:
        if letter == "h" and phones and _can_be_aspirated(phones[-1]):
            phones[-1] = phones[-1]._replace(aspirated=True)
        elif letter in VOWELS or letter in CONSONANTS:
            phones.append(Phone(letter))
        elif letter == "ʰ" and phones:
            phones[-1] = phones[-1]._replace(aspirated=True)
        elif letter == "\u0303" and phones:  # combining tilde
            phones[-1] = phones[-1]._replace(nasal=True)
        elif letter == ".":
            phones = [p._replace(letter=RETROFLEX.get(p.letter, p.letter)) for p in phones]
        elif letter == "-" and phones and phones[-1].letter == "o":
            phones[-1] = phones[-1]._replace(letter="ɤ")
    return phones, stress


def _can_be_aspirated(phone: Phone) -> bool:
    return phone.letter in CONSONANTS and CONSONANTS[phone.letter].kind in ("stop", "fricative")
