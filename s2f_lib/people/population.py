"""A population of synthetic people: who they are, what they look like in numbers, how they speak in numbers.

Everything follows from ``(seed, person id)``: the first hundred people of a seed are the same however many are drawn,
and faces are identical in every world. Sex, age band, group and language are assigned by quotas, because in a small
random sample a language that happens to be spoken by more women is enough to make a null world decodable.
"""

from __future__ import annotations

import numbers
from dataclasses import dataclass, field

import numpy as np

from s2f_lib.people import causes, worlds
from s2f_lib.people.quotas import AGE_BANDS, cells, languages, spread, stream, whole

STYLE_SHARE = 0.25  # of people belong to the invented subculture
MAX_EXPLAINED = 0.95  # of the variance of a "unit" node
ATTRIBUTES = ("sex", "age", "group", "language", "style", "eye_colour")  # columns beside scores and voice
KNOWN = {"sex": causes.SEXES, "group": causes.GROUPS, "language": causes.LANGUAGES}


@dataclass(frozen=True)
class Person:
    """One synthetic person. Scores are standard normal within sex; `voice` holds the synthesiser's parameters."""

    id: int
    seed: int
    world: worlds.World
    sex: str  # "female" or "male"
    age: float  # years, 18 to 85
    group: str  # "A" to "D", invented
    language: str
    style: int  # 1 = member of the invented subculture
    ancestry: tuple[float, float, float]  # weights of the mesh's african, asian, caucasian targets; sum 1
    melanin: float  # 0 to 1
    eye_colour: str
    height_cm: float
    stature: float
    androgen: float
    fat: float
    head: float
    jaw: float
    lower_face: float
    neck: float
    mouth_width: float
    brow: float
    eye_size: float
    nose: float
    nose_width: float
    lip: float
    hair_darkness: float
    voice: dict = field(hash=False)
    fixed: dict = field(default_factory=dict, hash=False)  # what earlier interventions have set

    def intervene(self, **changes) -> Person:
        """The same person, had one cause been different; see `s2f_lib.people.vary`."""
        world = worlds.get(changes.pop("world", self.world))
        assigned = {k: changes.pop(k, getattr(self, k)) for k in ("sex", "age", "group", "language", "style")}
        _check_single(assigned)
        columns = {k: np.array([v]) for k, v in assigned.items()}
        return Population(self.seed, world, np.array([self.id]), columns, fixed=self.fixed | changes)[0]


class Population:
    """People as columns; ``population[i]`` is a `Person`, ``population.table()`` a DataFrame.

    Attributes
    ----------
    seed : int
    world : worlds.World
    ids : np.ndarray, shape (n,), int
    sex, group, language, eye_colour : np.ndarray, shape (n,), str
    age : np.ndarray, shape (n,), float
    ancestry : np.ndarray, shape (n, 3), float
        Weights over `causes.ANCESTRIES`; rows sum to one.
    style : np.ndarray, shape (n,), int
    face : dict of np.ndarray, shape (n,)
        Body and face scores, ``height_cm`` and ``melanin`` included.
    voice : dict of np.ndarray, shape (n,)
        Parameters of the synthesiser (`causes.VOICE_PARAMETERS`) and ``idiolect``, the seed of personal habits.
    """

    def __init__(self, seed: int, world, ids: np.ndarray, assigned: dict, fixed: dict | None = None):
        self.seed, self.world, self.ids = int(seed), worlds.get(world), np.asarray(ids, int)
        self.fixed = dict(fixed or {})
        _check_assigned(assigned)
        _check_fixed(self.fixed)
        for name in ("sex", "group", "language"):
            setattr(self, name, np.asarray(assigned[name], dtype=str))
        self.age = np.asarray(assigned["age"], float)
        self.style = np.asarray(assigned["style"], int)
        values = _evaluate(self, self.fixed)
        self.ancestry = _ancestry(self)
        self.eye_colour = _eye_colour(self)
        values["melanin"] = self.fixed.get("melanin", _melanin(self)) * np.ones(len(self.ids))
        self.face = {name: values[name] for name in (*causes.BODY_AND_FACE, "melanin")}
        self.voice = {name: values[name] for name in causes.VOICE_PARAMETERS}
        self.voice["idiolect"] = _uniform(self, "idiolect", 2**31)

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index):
        """A `Person` for a whole number, a smaller `Population` for a slice, a mask or a list of positions."""
        if not isinstance(index, (int, np.integer)):
            return self._subset(np.arange(len(self))[index])
        if not -len(self) <= index < len(self):
            raise IndexError(f"person {index} of a population of {len(self)}")
        columns = {name: getattr(self, name) for name in ATTRIBUTES} | self.face
        voice, ancestry = {k: v[index].item() for k, v in self.voice.items()}, tuple(self.ancestry[index].tolist())
        return Person(
            id=int(self.ids[index]), seed=self.seed, world=self.world, ancestry=ancestry, voice=voice, fixed=self.fixed,
            **{name: column[index].item() for name, column in columns.items()},
        )  # fmt: skip

    def _subset(self, where: np.ndarray) -> Population:
        part = object.__new__(Population)
        part.seed, part.world, part.fixed = self.seed, self.world, self.fixed
        for name in ("ids", "ancestry", *ATTRIBUTES):
            setattr(part, name, getattr(self, name)[where])
        part.face = {k: v[where] for k, v in self.face.items()}
        part.voice = {k: v[where] for k, v in self.voice.items()}
        return part

    def table(self):
        """One row per person (pandas.DataFrame): id, attributes, ancestry weights, face scores, voice parameters.

        Voice parameters carry the prefix ``voice_``, ancestry weights ``ancestry_``.
        """
        import pandas as pd

        columns = {"id": self.ids} | {name: getattr(self, name) for name in ATTRIBUTES}
        columns |= {f"ancestry_{a}": self.ancestry[:, k] for k, a in enumerate(causes.ANCESTRIES)}
        columns |= self.face | {f"voice_{k}": v for k, v in self.voice.items()}
        return pd.DataFrame(columns)


def sample(n: int, world: str | worlds.World = "physiology", seed: int = 0) -> Population:
    """Draw `n` people of one world.

    ValueError for an impossible number or seed, or an unknown world.

    Parameters
    ----------
    n : int
        Number of people, at least 1. A multiple of 56 gives exactly equal cells of sex x age band x group.
    world : str or worlds.World
        See `worlds.WORLDS`.
    seed : int
        Not negative. Different seeds share nobody.
    """
    if not whole(n) or n < 1:
        raise ValueError(f"n is {n!r}; a population needs a whole number of people, at least 1")
    if not whole(seed) or seed < 0:
        raise ValueError(f"seed is {seed!r}; wanted a whole number, 0 or more")
    world, ids = worlds.get(world), np.arange(n)
    sex, band, group = cells(n, seed)
    low, high = causes.AGE_RANGE
    age = low + (high - low) * (band + stream(seed, "age").random(n)) / AGE_BANDS
    assigned = {"sex": np.array(causes.SEXES)[sex], "age": age, "group": np.array(causes.GROUPS)[group]}
    assigned["language"] = languages(sex, band, group, world, seed)
    assigned["style"] = (spread(sex, band, group, seed, "style") < STYLE_SHARE).astype(int)
    return Population(seed, world, ids, assigned)


# ---- chance, one stream of random numbers per quantity


def _uniform(population: Population, name: str, high: int) -> np.ndarray:
    last = int(population.ids.max()) + 1
    return stream(population.seed, name).integers(0, high, last)[population.ids]


def _normal(population: Population, name: str, width: int = 1) -> np.ndarray:
    last = int(population.ids.max()) + 1
    return stream(population.seed, name).standard_normal((last, width))[population.ids]


# ---- structural equations


def _evaluate(population: Population, fixed: dict) -> dict[str, np.ndarray]:
    """Run the equations of `causes` in order; names in `fixed` are set and do not listen to their causes."""
    female, group = population.sex == "female", np.array([causes.GROUPS.index(g) for g in population.group])
    values = {name: value(population.age, female) for name, (_, value) in causes.ROOTS.items() if value}
    values["style"] = population.style.astype(float)
    loadings = {"age_z": {"age_z": 1.0}}  # of every "unit" node on independent standard normal variables
    for node in causes.NODES:
        arrows = [(a, worlds.scale(population.world, a.switch)) for a in causes.ARROWS if a.effect == node.name]
        x, load = np.zeros(len(group)), {}
        for arrow, factor in arrows:
            if arrow.cause == "group":
                x = x + factor * np.array(arrow.coefficient)[group]
                continue
            x = x + factor * arrow.coefficient * values[arrow.cause]
            for basis, weight in loadings.get(arrow.cause, {}).items():
                load[basis] = load.get(basis, 0.0) + factor * arrow.coefficient * weight
        sd = node.sd
        if node.link == "unit":
            explained = sum(w * w for w in load.values())  # the arrows shrink where they explain more than there is
            shrink = np.sqrt(min(1.0, MAX_EXPLAINED / explained)) if explained else 1.0
            x, sd = x * shrink, float(np.sqrt(1 - explained * shrink**2))  # the noise makes the variance one
            loadings[node.name] = {b: w * shrink for b, w in load.items()} | {node.name: sd}
        if sd:
            x = x + sd * _normal(population, node.name)[:, 0]
        value = node.base * np.exp(x) if node.link == "log" else node.base + x
        if node.name in fixed:
            value = np.full(len(group), float(fixed[node.name]))
        values[node.name] = np.clip(value, node.low, node.high)
    return values


def _ancestry(population: Population) -> np.ndarray:
    mean = np.log([causes.ANCESTRY_MEAN[g] for g in population.group])
    weight = np.exp(mean + causes.ANCESTRY_SPREAD * _normal(population, "ancestry", 3))
    return weight / weight.sum(axis=1, keepdims=True)


def _melanin(population: Population) -> np.ndarray:
    mean = population.ancestry @ causes.MELANIN_OF_ANCESTRY + 0.02 * np.where(population.sex == "male", 1, -1)
    return np.clip(mean + 0.075 * _normal(population, "melanin")[:, 0], 0.05, 1.0)


def _eye_colour(population: Population) -> np.ndarray:
    u = _uniform(population, "eye_colour", 10_000) / 10_000
    shares = np.cumsum([causes.EYE_COLOUR_SHARES[g] for g in population.group], axis=1)
    return np.array(causes.EYE_COLOURS)[(u[:, None] >= shares[:, :-1]).sum(axis=1)]


# ---- impossible attributes


def _check_single(assigned: dict) -> None:
    """One value for each attribute of one person; a text is no age, however it reads, and neither is True."""
    for name in ("sex", "group", "language"):
        if not isinstance(assigned[name], str):
            raise ValueError(f"{name} is {assigned[name]!r}; wanted a text, for example {name}={KNOWN[name][0]!r}")
    age, (low, high) = assigned["age"], causes.AGE_RANGE
    if not isinstance(age, numbers.Real) or isinstance(age, bool) or not low <= age <= high:
        raise ValueError(f"age is {age!r}; wanted a number of years from {low:g} to {high:g}, for example age=40")
    if not isinstance(assigned["style"], (numbers.Real, np.bool_)):
        raise ValueError(f"style is {assigned['style']!r}; wanted 0 or 1 (member of the invented subculture)")


def _check_assigned(assigned: dict) -> None:
    for name, known in KNOWN.items():
        unknown = sorted(set(np.asarray(assigned[name], dtype=str)) - set(known))
        if unknown:
            raise ValueError(f"unknown {name} {str(unknown[0])!r}; known: {', '.join(known)}")
    age, (low, high) = np.asarray(assigned["age"], float), causes.AGE_RANGE
    if not ((age >= low) & (age <= high)).all():
        raise ValueError(f"ages {age.min():g} to {age.max():g}; the model holds for {low:g} to {high:g}")
    if not np.isin(assigned["style"], (0, 1)).all():
        raise ValueError(f"style is {assigned['style'][0]}; wanted 0 or 1 (member of the invented subculture)")


def _check_fixed(fixed: dict) -> None:
    nodes = {n.name: n for n in causes.NODES}
    for name, value in fixed.items():
        if name == "melanin":
            low, high = 0.0, 1.0
        elif name in nodes:
            low, high = (-6.0, 6.0) if nodes[name].unit == "z" else (nodes[name].low, nodes[name].high)
        else:
            raise ValueError(f"unknown attribute {name!r}; known: sex, age, group, language, style, {', '.join(nodes)}")
        if not (isinstance(value, numbers.Real) and not isinstance(value, bool) and low <= value <= high):
            raise ValueError(f"{name} is {value!r}; wanted a number from {low:g} to {high:g}")
