"""The causes of a synthetic person, as data: what depends on what, by how much, and who says so.

`ARROWS` and `NODES` are the structural equations that `population.sample` evaluates; the table that the book prints
is made from the same two lists, so that the text cannot drift from the code. Coefficients are our choices inside
published ranges except where a source is named. An arrow's `switch` says which knob of a world scales it
(`s2f_lib.people.worlds`); ``always`` arrows shape the body and the face and are the same in every world.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

SEXES = ("male", "female")
AGE_RANGE = (18.0, 85.0)  # years
GROUPS = ("A", "B", "C", "D")  # invented ancestry groups; no real population is meant
ANCESTRIES = ("african", "asian", "caucasian")  # the names of the mesh's own shape targets
LANGUAGES = ("en", "de", "es", "fr", "zh", "hi", "sw", "tr")
HOME_LANGUAGES = {"A": ("en", "de"), "B": ("es", "fr"), "C": ("zh", "hi"), "D": ("sw", "tr")}
ANCESTRY_MEAN = {"A": (0.05, 0.07, 0.88), "B": (0.16, 0.26, 0.58), "C": (0.05, 0.87, 0.08), "D": (0.88, 0.05, 0.07)}
ANCESTRY_SPREAD = 0.55  # standard deviation of the log weights around the group's mean
EYE_COLOURS = ("darkbrown", "brown", "hazel", "green", "blue", "grey")
EYE_COLOUR_SHARES = {
    "A": (0.10, 0.25, 0.16, 0.12, 0.27, 0.10),
    "B": (0.35, 0.35, 0.15, 0.07, 0.05, 0.03),
    "C": (0.75, 0.22, 0.03, 0.0, 0.0, 0.0),
    "D": (0.80, 0.18, 0.02, 0.0, 0.0, 0.0),
}
MELANIN_OF_ANCESTRY = (0.80, 0.34, 0.17)  # mean melanin of the three ancestries, 0 = none, 1 = most

CHOICE = "our choice"
FITCH = "Fitch & Giedd 1999"
PISANSKI = "Pisanski et al. 2014"
STATHOPOULOS = "Stathopoulos et al. 2011"
XUE = "Xue & Hao 2003"
KLATT = "Klatt & Klatt 1990; Hanson & Chuang 1999 (direction)"


@dataclass(frozen=True)
class Node:
    """One quantity of a person: ``value = link(base, sum of arrows + sd * noise)``, then clipped.

    Attributes
    ----------
    name, unit, meaning : str
    kind : str
        ``"body"``, ``"face"`` (both the same in every world), ``"hidden"`` or ``"voice"``.
    base : float
        Value of the average person (half way between the sexes, 45 years).
    link : str
        ``"linear"`` (base + x), ``"log"`` (base * exp(x)) or ``"unit"`` (standard normal within sex whatever the
        arrows are: the noise fills the variance up to one, and arrows that ask for more than 95 % are shrunk).
    sd : float
        Standard deviation of the person's own noise; of the logarithm where the link is ``"log"``.
    low, high : float
        Limits.
    """

    name: str
    kind: str
    meaning: str
    unit: str = "z"
    base: float = 0.0
    link: str = "unit"
    sd: float = 0.0
    low: float = -float("inf")
    high: float = float("inf")


@dataclass(frozen=True)
class Arrow:
    """One arrow: `effect` changes by `coefficient` (a number, or one per group) for each unit of `cause`."""

    cause: str
    effect: str
    coefficient: float | tuple[float, float, float, float]
    switch: str  # "always", "individual", "sex_age", "style"; see worlds.World
    source: str = CHOICE


# What an arrow may start from besides another node; computed from the assigned attributes in population.py.
ROOTS = {
    "female": "+0.5 for female, -0.5 for male",
    "age": "decades from 45 years",
    "age_z": "standardised age",
    "age_over_40": "decades beyond 40 years, else 0",
    "age_over_60": "decades beyond 60 years, else 0",
    "man_until_55": "decades from 45 years up to 55, men only",
    "man_over_58": "decades beyond 58 years, men only",
    "woman_over_48": "decades beyond 48 years, women only",
    "man_over_60": "decades beyond 60 years, men only",
    "group": "the invented ancestry group",
    "style": "1 for members of the invented subculture, else 0",
}

NOSE_MEAN = (-0.65, -0.05, 0.15, 0.55)  # group means of face scores, A to D
NOSE_WIDTH_MEAN = (-0.60, -0.05, 0.10, 0.55)
LIP_MEAN = (-0.725, -0.125, 0.075, 0.775)
HAIR_MEAN = (-1.05, -0.10, 0.57, 0.58)


def _minus(means: tuple, scale: float) -> tuple:
    return tuple(round(-m / scale, 4) for m in means)


NODES = (
    # ---- body and face: standard normal within sex; the mesh adds what sex, age and ancestry do to the mean
    Node("stature", "body", "body height for one's sex"),
    Node("androgen", "face", "masculine against feminine shape, within sex"),
    Node("fat", "face", "fullness of face and body"),
    Node("head", "face", "size of the head"),
    Node("jaw", "face", "width and strength of the jaw"),
    Node("lower_face", "face", "height of the lower face"),
    Node("neck", "face", "width of the neck"),
    Node("mouth_width", "face", "width of the mouth"),
    Node("brow", "face", "height and strength of the brow"),
    Node("eye_size", "face", "size of the eye opening"),
    Node("nose", "face", "size of the nose", link="linear", sd=0.855),
    Node("nose_width", "face", "width of the nose", link="linear", sd=0.905),
    Node("lip", "face", "fullness of the lips", link="linear", sd=0.79),
    Node("hair_darkness", "face", "darkness of the natural hair colour", link="linear", sd=0.75),
    Node("height_cm", "body", "body height", "cm", 169.4, "log", 0.0, 130, 215),
    # ---- hidden steps between body and voice
    Node("nose_own", "hidden", "nose size relative to the group's mean", link="linear"),
    Node("nose_width_own", "hidden", "nose width relative to the group's mean", link="linear"),
    Node("lip_own", "hidden", "lip fullness relative to the group's mean", link="linear"),
    Node("tract_size", "hidden", "length of the vocal tract for one's sex"),
    Node("pitch", "hidden", "pitch of the voice for one's sex and age"),
    # ---- voice
    Node("vtl", "voice", "length of the vocal tract", "cm", 15.81, "log", 0.0, 12.0, 21.5),
    Node("f0", "voice", "median fundamental frequency", "Hz", 155.5, "log", 0.0, 60, 400),
    Node("f0_range", "voice", "size of the intonation movements", "x", 1.414, "log", 0.28, 0.6, 3.0),
    Node("s1", "voice", "first formant against the tract's length", "x", 1.0, "log", 0.025, 0.85, 1.15),
    Node("s2", "voice", "second formant against the tract's length", "x", 1.0, "log", 0.020, 0.85, 1.15),
    Node("s3", "voice", "third formant against the tract's length", "x", 1.0, "log", 0.018, 0.85, 1.15),
    Node("s4", "voice", "fourth formant (larynx tube)", "x", 1.0, "log", 0.028, 0.85, 1.15),
    Node("space", "voice", "size of the vowel space, articulation precision", "x", 1.0, "linear", 0.07, 0.8, 1.2),
    Node("jitter", "voice", "irregularity of the pulse times", "x T0", 0.0045, "log", 0.30, 0, 0.03),
    Node("shimmer", "voice", "irregularity of the pulse heights", "log", 0.030, "log", 0.30, 0, 0.15),
    Node("tremor", "voice", "slow trembling of the pitch at 5 Hz", "semitones", 0.05, "log", 0.50, 0, 0.6),
    Node("oq", "voice", "open quotient of the vocal folds", "x T0", 0.63, "linear", 0.06, 0.40, 0.90),
    Node("am", "voice", "asymmetry of the glottal pulse", "", 0.685, "linear", 0.025, 0.60, 0.80),
    Node("tilt", "voice", "loss of the voice source at 3 kHz", "dB", 5.25, "linear", 3.2, 0.5, 22),
    Node("bw", "voice", "width of the formants", "x", 1.122, "log", 0.12, 0.7, 1.8),
    Node("nasality", "voice", "coupling of the nose in vowels", "0-1", 0.10, "linear", 0.06, 0.0, 0.45),
    Node("fnp", "voice", "resonance of the nose", "Hz", 285.0, "log", 0.06, 200, 380),
    Node("breath", "voice", "breath noise while voicing", "x", 0.0311, "log", 0.55, 0.004, 0.2),
    Node("asp", "voice", "strength of h and of aspiration", "x", 0.25, "log", 0.20, 0.1, 0.6),
    Node("fric", "voice", "strength of s, f, sh", "x", 0.18, "log", 0.30, 0.06, 0.5),
    Node("sib", "voice", "pitch of s and sh", "x", 1.0, "log", 0.05, 0.8, 1.25),
    Node("rate", "voice", "speed of speech", "x", 1.0, "log", 0.15, 0.6, 1.5),
    Node("coart", "voice", "time over which sounds blend", "ms", 75.0, "log", 0.15, 40, 130),
)

ARROWS = (
    # ---- body and face, the same in every world
    Arrow("stature", "head", 0.35, "always"),
    Arrow("androgen", "jaw", 0.40, "always"),
    Arrow("head", "jaw", 0.20, "always"),
    Arrow("androgen", "lower_face", 0.25, "always"),
    Arrow("stature", "lower_face", 0.25, "always"),
    Arrow("age_z", "fat", 0.25, "always"),
    Arrow("fat", "neck", 0.30, "always"),
    Arrow("androgen", "neck", 0.30, "always"),
    Arrow("head", "mouth_width", 0.25, "always"),
    Arrow("head", "nose", 0.27, "always"),
    Arrow("group", "nose", NOSE_MEAN, "always"),
    Arrow("group", "nose_width", NOSE_WIDTH_MEAN, "always"),
    Arrow("group", "lip", LIP_MEAN, "always"),
    Arrow("age_z", "lip", -0.29, "always"),
    Arrow("group", "hair_darkness", HAIR_MEAN, "always"),
    Arrow("female", "height_cm", log(163 / 176), "always"),
    Arrow("stature", "height_cm", 0.0393, "always"),
    Arrow("age_over_40", "height_cm", -0.0053, "always"),
    # ---- noses and lips reach the voice relative to the group's mean: ancestry speaks through language only
    Arrow("nose", "nose_own", 1 / 0.9, "always"),
    Arrow("group", "nose_own", _minus(NOSE_MEAN, 0.9), "always"),
    Arrow("nose_width", "nose_width_own", 1 / 0.9, "always"),
    Arrow("group", "nose_width_own", _minus(NOSE_WIDTH_MEAN, 0.9), "always"),
    Arrow("lip", "lip_own", 1 / 0.84, "always"),
    Arrow("group", "lip_own", _minus(LIP_MEAN, 0.84), "always"),
    # ---- sex and age to voice
    Arrow("female", "vtl", log(14.7 / 17.0), "sex_age", FITCH),
    Arrow("female", "f0", log(205 / 118), "sex_age", STATHOPOULOS),
    Arrow("man_until_55", "f0", -0.010, "sex_age", STATHOPOULOS),
    Arrow("man_over_58", "f0", 0.050, "sex_age", STATHOPOULOS),
    Arrow("woman_over_48", "f0", -0.025, "sex_age", STATHOPOULOS),
    Arrow("female", "f0_range", 0.247, "sex_age"),
    Arrow("age", "s1", -0.010, "sex_age", XUE + "; contested by later work"),
    Arrow("female", "space", 0.06, "sex_age"),
    Arrow("age", "jitter", 0.10, "sex_age"),
    Arrow("age_over_60", "jitter", 0.12, "sex_age"),
    Arrow("age", "shimmer", 0.08, "sex_age"),
    Arrow("age_over_60", "shimmer", 0.10, "sex_age"),
    Arrow("age", "tremor", 0.08, "sex_age"),
    Arrow("age_over_60", "tremor", 0.25, "sex_age"),
    Arrow("female", "oq", 0.10, "sex_age", KLATT),
    Arrow("man_over_60", "oq", 0.012, "sex_age"),
    Arrow("female", "am", -0.03, "sex_age"),
    Arrow("female", "tilt", 4.5, "sex_age", KLATT),
    Arrow("age", "tilt", 0.5, "sex_age"),
    Arrow("female", "bw", 0.134, "sex_age"),
    Arrow("age", "nasality", 0.01, "sex_age"),
    Arrow("female", "fnp", 0.105, "sex_age"),
    Arrow("female", "breath", 0.693, "sex_age", KLATT),
    Arrow("age", "breath", 0.10, "sex_age"),
    Arrow("age_over_60", "breath", 0.15, "sex_age"),
    Arrow("female", "sib", 0.04, "sex_age"),
    Arrow("age", "rate", -0.035, "sex_age"),
    Arrow("age_over_60", "rate", -0.03, "sex_age"),
    # ---- one's own body and face to voice, within sex
    Arrow("stature", "tract_size", 0.38, "individual", f"{FITCH}; {PISANSKI}"),
    Arrow("lower_face", "tract_size", 0.20, "individual"),
    Arrow("jaw", "tract_size", 0.10, "individual"),
    Arrow("tract_size", "vtl", 0.050, "always", "Lammert & Narayanan 2015 (adults 13-20 cm)"),
    Arrow("androgen", "pitch", -0.18, "individual", "Feinberg et al. 2005 (women; not found in men)"),
    Arrow("stature", "pitch", -0.10, "individual", PISANSKI),
    Arrow("neck", "pitch", -0.10, "individual"),
    Arrow("pitch", "f0", 2.7 / 12 * log(2), "always", "2.7 semitones between speakers of one sex; our choice"),
    Arrow("jaw", "s1", -0.008, "individual"),
    Arrow("lip_own", "s2", -0.006, "individual"),
    Arrow("mouth_width", "s2", -0.005, "individual"),
    Arrow("lip_own", "s3", -0.006, "individual"),
    Arrow("jaw", "sib", -0.015, "individual"),
    Arrow("nose_own", "fnp", -0.027, "individual"),
    Arrow("nose_width_own", "nasality", 0.018, "individual"),
    # ---- a shared way of speaking: culture that shows in the face's styling as well
    Arrow("style", "rate", 0.16, "style"),
    Arrow("style", "f0_range", -0.30, "style"),
    Arrow("style", "nasality", 0.12, "style"),
)

BODY_AND_FACE = tuple(n.name for n in NODES if n.kind in ("body", "face"))
FACE_SCORES = tuple(n.name for n in NODES if n.kind == "face" and n.name != "hair_darkness")
VOICE_PARAMETERS = tuple(n.name for n in NODES if n.kind == "voice")
