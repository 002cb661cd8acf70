"""Phones: formant targets of vowels and consonants, noise spectra of places of articulation, and the IPA parser.

Vowel targets are those of adult men (Hillenbrand et al. 1995 for the English ones, interpolated elsewhere) for a vocal
tract of 17 cm; consonants have a target of their own and a weight that says how much of it is left beside a vowel
(locus equations). The targets are in ``data/phones.csv``, the noises in ``data/noises.csv``.
"""

import unicodedata
from pathlib import Path
from typing import NamedTuple

from s2f_lib.io.files import read_table

REFERENCE_VTL = 17.0  # cm; all formants in this file belong to a tract of this length
NEUTRAL = (500.0, 1450.0, 2500.0)  # Hz, F1 to F3 of the tract at rest


class Consonant(NamedTuple):
    """Manner, formant targets (Hz), weight of the own F2 against the vowel's, and where its noise or zero lies."""

    kind: str  # stop, voiced_stop, glottal, fricative, voiced_fricative, aspirate, nasal, approximant, tap, trill
    formants: tuple[float, float, float]
    locus: float
    place: str | float = ""  # a key of NOISES; for nasals the zero of the closed mouth, in Hz


class Noise(NamedTuple):
    """Spectrum of a turbulent source: resonances (Hz, bandwidth in Hz, gain), gain of the floor, overall level."""

    peaks: tuple[list[float], list[float]]
    floor: float
    level: float
    roll_off: float  # Hz; above it the spectrum falls by 12 dB per octave
    burst: float  # strength of a stop that opens there


DATA = Path(__file__).parent / "data"
VOWELS: dict[str, tuple[float, float, float]] = {}  # F1, F2, F3 in Hz
CONSONANTS: dict[str, Consonant] = {}
for _row in read_table(DATA / "phones.csv"):
    _formants = float(_row["f1"]), float(_row["f2"]), float(_row["f3"])
    if _row["kind"] == "vowel":
        VOWELS[_row["letter"]] = _formants
    else:
        _place = float(_row["place"]) if _row["kind"] == "nasal" else _row["place"]
        CONSONANTS[_row["letter"]] = Consonant(_row["kind"], _formants, float(_row["locus"]), _place)
NOISES: dict[str, Noise] = {}
for _row in read_table(DATA / "noises.csv"):
    _numbers = [float(value) for name, value in _row.items() if name != "place"]
    NOISES[_row["place"]] = Noise((_numbers[:3], _numbers[3:6]), *_numbers[6:])
PLACES = tuple(NOISES)
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
        before = CONSONANTS.get(phones[-1].letter) if phones else None
        if letter == "h" and before is not None and before.kind in ("stop", "fricative"):
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
