"""Do the synthetic faces differ the way measured people differ? Distances in millimetres and directions with sources.

Only directions are claimed, not sizes: the groups A to D are invented, and two of them lean on the shape targets that
MakeHuman calls caucasian (A), asian (C) and african (D). What no source was found for is marked as our choice.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from s2f_lib.people.head import coefficients, head_model

# name -> pairs of landmarks (number of the 68 points, or anatomical name); distances of several pairs are averaged
DISTANCES = {
    "face width": (("zygion_r", "zygion_l"),),
    "jaw width": (("gonion_r", "gonion_l"),),
    "lower face height": ((33, 8),),
    "nose width": (("alare_r", "alare_l"),),
    "nose height": ((27, 33),),
    "nose protrusion": ((33, "pronasale"),),
    "intercanthal width": ((39, 42),),
    "biocular width": ((36, 45),),
    "eye opening": ((37, 41), (44, 46)),
    "mouth width": ((48, 54),),
    "upper vermilion": ((51, 62),),
    "lower vermilion": ((66, 57),),
}
MEN_WOMEN, OLD_YOUNG = "men - women", "65 and older - under 40"

FARKAS = "Farkas et al. 2005, J Craniofac Surg 16:615"
INTERCANTHAL = "pooled review of 67 studies, 2022 (PMC9029890)"
ORBIT = "Sforza et al. 2009, Forensic Sci Int 185:115"
LIPS = "Sforza et al. 2010, Forensic Sci Int 200:182"
NOSE = "Sforza et al. 2011, Forensic Sci Int 204:205"
CHOICE = "our choice"


class Direction(NamedTuple):
    """A mean difference that the literature gives a sign."""

    measure: str
    contrast: str  # "X - Y" of sexes, ages or groups
    sign: int
    source: str


DIRECTIONS = (
    Direction("face width", MEN_WOMEN, +1, FARKAS),
    Direction("jaw width", MEN_WOMEN, +1, FARKAS),
    Direction("lower face height", MEN_WOMEN, +1, FARKAS),
    Direction("nose width", MEN_WOMEN, +1, NOSE),
    Direction("nose height", MEN_WOMEN, +1, NOSE),
    Direction("intercanthal width", MEN_WOMEN, +1, ORBIT),
    Direction("biocular width", MEN_WOMEN, +1, ORBIT),
    Direction("mouth width", MEN_WOMEN, +1, LIPS),
    Direction("nose width", "D - A", +1, FARKAS),
    Direction("nose width", "C - A", +1, FARKAS),
    Direction("nose protrusion", "D - A", -1, CHOICE),
    Direction("nose protrusion", "C - A", -1, CHOICE),
    Direction("intercanthal width", "D - A", +1, INTERCANTHAL),
    Direction("intercanthal width", "C - A", +1, INTERCANTHAL),
    Direction("upper vermilion", "D - A", +1, CHOICE),
    Direction("lower vermilion", "D - A", +1, CHOICE),
    Direction("nose height", OLD_YOUNG, +1, NOSE),
    Direction("upper vermilion", OLD_YOUNG, -1, LIPS),
    Direction("lower vermilion", OLD_YOUNG, -1, LIPS),
    Direction("eye opening", OLD_YOUNG, -1, CHOICE),
)


def distances(population) -> dict[str, np.ndarray]:
    """Every distance of `DISTANCES` for every person, millimetres, on the true three-dimensional landmarks.

    Parameters
    ----------
    population : Population or sequence of Person

    Returns
    -------
    dict of str to np.ndarray, shape (n,)
    """
    model = head_model()
    vertex = dict(enumerate(model.lm68)) | model.anatomical
    needed = sorted({vertex[end] for pairs in DISTANCES.values() for pair in pairs for end in pair})
    row = {v: i for i, v in enumerate(needed)}
    targets = model.targets.reshape(len(model.targets), -1, 3)[:, needed]
    weights = np.stack([coefficients(person) for person in population])
    points = (model.base[needed] + np.tensordot(weights, targets, 1)).astype(float) * 100
    gap = lambda a, b: np.linalg.norm(points[:, row[vertex[a]]] - points[:, row[vertex[b]]], axis=1)  # noqa: E731
    return {name: np.mean([gap(a, b) for a, b in pairs], axis=0) for name, pairs in DISTANCES.items()}


def _sides(population, contrast: str) -> tuple[np.ndarray, np.ndarray]:
    if contrast == MEN_WOMEN:
        return population.sex == "male", population.sex == "female"
    if contrast == OLD_YOUNG:
        return population.age >= 65, population.age < 40
    first, second = contrast.split(" - ")
    return population.group == first, population.group == second


def table(population):
    """Expected and observed direction of every row of `DIRECTIONS` (pandas.DataFrame).

    Parameters
    ----------
    population : Population
        Some hundreds of people, or the means are noise; quotas of sex, age and group make contrasts fair.

    Returns
    -------
    pandas.DataFrame
        Columns measure, contrast, expected (+1 or -1), difference (mm), d (Cohen's), agrees, source.
    """
    import pandas as pd

    values, rows = distances(population), []
    for measure, contrast, sign, source in DIRECTIONS:
        a, b = (values[measure][side] for side in _sides(population, contrast))
        difference = a.mean() - b.mean()
        d = difference / np.sqrt((a.var() + b.var()) / 2)
        rows.append((measure, contrast, sign, difference, d, bool(np.sign(difference) == sign), source))
    return pd.DataFrame(rows, columns=["measure", "contrast", "expected", "difference", "d", "agrees", "source"])
