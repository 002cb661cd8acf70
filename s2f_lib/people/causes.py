"""The causes of a synthetic person, as data: what depends on what, by how much, and who says so.

`ARROWS` and `NODES` are the structural equations that `population.sample` evaluates; the table that the book prints
is made from the same two lists (``data/nodes.csv``, ``data/arrows.csv``), so that the text cannot drift from the code.
Coefficients are our choices inside published ranges except where a source is named; noses and lips reach the voice
relative to the mean of the group, so that ancestry speaks through language only. An arrow's `switch` says which knob of
a world scales it (`s2f_lib.people.worlds`); ``always`` arrows shape the body and the face and are the same in every
world.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from s2f_lib.io.files import read_table

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


@dataclass(frozen=True)
class Node:
    """One quantity of a person: ``value = link(base, sum of arrows + sd * noise)``, then clipped to its limits.

    The link is "linear" (base + x), "log" (base * exp(x)) or "unit" (standard normal within sex whatever the arrows
    are: the noise fills the variance up to one, and arrows that ask for more than 95 % are shrunk).
    """

    name: str
    kind: str  # "body", "face" (both the same in every world), "hidden" or "voice"
    meaning: str
    unit: str
    base: float  # of the average person, half way between the sexes, 45 years
    link: str
    sd: float  # of the person's own noise; of the logarithm where the link is "log"
    low: float
    high: float


@dataclass(frozen=True)
class Arrow:
    """One arrow: `effect` changes by `coefficient` (a number, or one per group) for each unit of `cause`."""

    cause: str
    effect: str
    coefficient: float | tuple[float, float, float, float]
    switch: str  # "always", "individual", "sex_age", "style"; see worlds.World
    source: str


def _beyond(age: np.ndarray, year: float) -> np.ndarray:
    """Decades beyond an age."""
    return np.maximum(0, age - year) / 10


# What an arrow may start from besides another node: its meaning, and its value from age (years) and female (bool).
ROOTS = {
    "female": ("+0.5 for female, -0.5 for male", lambda age, female: female - 0.5),
    "age": ("decades from 45 years", lambda age, female: (age - 45) / 10),
    "age_z": ("standardised age", lambda age, female: (age - np.mean(AGE_RANGE)) / (np.ptp(AGE_RANGE) / np.sqrt(12))),
    "age_over_40": ("decades beyond 40 years, else 0", lambda age, female: _beyond(age, 40)),
    "age_over_60": ("decades beyond 60 years, else 0", lambda age, female: _beyond(age, 60)),
    "man_until_55": (
        "decades from 45 years up to 55, men only",
        lambda age, female: (np.minimum(age, 55) - 45) / 10 * ~female,
    ),
    "man_over_58": ("decades beyond 58 years, men only", lambda age, female: _beyond(age, 58) * ~female),
    "woman_over_48": ("decades beyond 48 years, women only", lambda age, female: _beyond(age, 48) * female),
    "man_over_60": ("decades beyond 60 years, men only", lambda age, female: _beyond(age, 60) * ~female),
    "group": ("the invented ancestry group", None),
    "style": ("1 for members of the invented subculture, else 0", None),
}

DATA = Path(__file__).parent / "data"
TEXTS = ("name", "kind", "meaning", "unit", "link")  # columns that hold no number
NODES = tuple(
    Node(**{name: value if name in TEXTS else float(value) for name, value in row.items()})
    for row in read_table(DATA / "nodes.csv")
)


def _arrow(row: dict[str, str]) -> Arrow:
    """A row of the table; four numbers are one for each group, and how they were worked out is for readers."""
    numbers = tuple(float(number) for number in row["coefficient"].split())
    coefficient = numbers if len(numbers) > 1 else numbers[0]
    return Arrow(row["cause"], row["effect"], coefficient, row["switch"], row["source"])


ARROWS = tuple(_arrow(row) for row in read_table(DATA / "arrows.csv"))

BODY_AND_FACE = tuple(n.name for n in NODES if n.kind in ("body", "face"))
FACE_SCORES = tuple(n.name for n in NODES if n.kind == "face" and n.name != "hair_darkness")
VOICE_PARAMETERS = tuple(n.name for n in NODES if n.kind == "voice")
