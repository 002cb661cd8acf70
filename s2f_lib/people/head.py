"""A person's head in three dimensions: shape coefficients, vertices, landmarks.

The head is a linear model: a base mesh plus coefficients times 408 shape targets of MakeHuman (CC0; see
``data/heads.md``). Lengths inside are decimetres, with the origin between the eyes, x to the person's left,
y up and z forward; what leaves the module as a measurement is in millimetres.
"""

from functools import cache
from importlib import resources

import numpy as np

from s2f_lib.people import sliders

RACES, SEXES, AGES = ("african", "asian", "caucasian"), ("female", "male"), ("child", "young", "old")
OPPOSITE = {
    "incr": "decr", "up": "down", "out": "in", "forward": "backward", "convex": "concave", "uncompress": "compress",
}  # fmt: skip
ASYMMETRIES = (
    "brown-1", "brown-2", "cheek-1", "cheek-2", "ear-1", "eye-1", "eye-3", "eye-4", "jaw-1", "jaw-2", "mouth-1",
    "mouth-2", "nose-1", "nose-2", "nose-3",
)  # fmt: skip
PIVOT = np.array([0, -0.35, -0.55], np.float32)  # decimetres; the head turns about this point
SHAPE_STREAM, LOOK_STREAM, WILD_STREAM = 11, 12, 1000  # third entry of the seed of each kind of random number


def random_stream(person, stream: int) -> np.random.Generator:
    """Random numbers that belong to one person of one population and to one purpose."""
    return np.random.default_rng([person.seed, person.id, stream])


class HeadModel:
    """The mesh and its shape targets, read once from the packaged asset (see `head_model`)."""

    def __init__(self, mesh, look):
        solid = mesh["tpart"] < 6
        self.base = mesh["base"]
        self.triangles = mesh["tri"][solid].astype(np.int32)  # (T, 3)
        self.uv_triangles = mesh["trit"][solid].astype(np.int32)
        self.part = mesh["tpart"][solid].astype(np.int32)  # 0 skin, 1-2 eye balls, 3-4 teeth, 5 tongue; no lashes (6-9)
        self.uv = mesh["uv"]
        names = [str(n) for k in ("macro_n", "det_n", "expr_n") for n in mesh[k]]
        self.column = {name: i for i, name in enumerate(names)}
        self.targets = np.concatenate([mesh["macro"], mesh["det"], mesh["expr"]]).astype(np.float32)
        self.targets = self.targets.reshape(len(names), -1)
        self.eyes = [np.unique(self.triangles[self.part == k]) for k in (1, 2)]
        self.slider = _signed_pairs([str(n) for n in mesh["det_n"]], self.column)
        self.template = look["T"]  # (N, 3), average young adult, on whom hair and skin masks were laid out
        self.lm68 = look["lm68"].astype(int)  # vertices of the 68 landmarks, in the usual order
        self.anatomical = {str(n): int(i) for n, i in zip(look["extra_n"], look["extra_i"], strict=True)}

    def vertices(self, coefficients: np.ndarray) -> np.ndarray:
        """Identity shape with a neutral expression, (N, 3) float32 decimetres around the mid-point of the eyes."""
        return self.centred((self.base.reshape(-1) + coefficients @ self.targets).reshape(-1, 3))

    def express(self, vertices: np.ndarray, expression: dict[str, float]) -> np.ndarray:
        """Add an expression: names of the 52 units (for example ``mouthSmileLeft``) with strengths 0 to 1."""
        moved = vertices.copy()
        for name, strength in expression.items():
            moved += np.float32(strength) * self.targets[self.column[name]].reshape(-1, 3)
        return self.centred(moved)

    def centred(self, vertices: np.ndarray) -> np.ndarray:
        return vertices - 0.5 * (vertices[self.eyes[0]].mean(0) + vertices[self.eyes[1]].mean(0))


def _signed_pairs(names: list[str], column: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Join targets like ``chin-width-incr`` and ``-decr`` to one slider: name -> (positive, negative column)."""
    pairs = {}
    for name in names:
        stem, _, end = name.rpartition("-")
        if end in OPPOSITE and f"{stem}-{OPPOSITE[end]}" in column:
            several = sum(f"{stem}-{e}" in column for e in ("up", "out", "forward")) > 1
            pairs[name if several else stem] = (column[name], column[f"{stem}-{OPPOSITE[end]}"])
        elif end not in OPPOSITE.values():
            pairs[name] = (column[name], -1)
    return pairs


@cache
def asset(name: str) -> dict[str, np.ndarray]:
    """The arrays of ``data/<name>.npz``, read once in each process."""
    with resources.files("s2f_lib.people").joinpath("data", f"{name}.npz").open("rb") as file, np.load(file) as arrays:
        return {key: arrays[key] for key in arrays.files}


@cache
def head_model() -> HeadModel:
    """The one `HeadModel` of this process."""
    return HeadModel(asset("head"), asset("look"))


# ---- from attributes to coefficients


def masculinity(person, own: float) -> float:
    """Weight of the male targets: the sexes overlap a little, and the androgen score moves it within a sex."""
    middle = 1.08 if person.sex == "male" else -0.04
    return float(np.clip(middle + 0.06 * person.androgen + 0.05 * own, -0.2, 1.3))


def slider_values(person) -> dict[str, float]:
    """Every slider of a person, in MakeHuman units: own variation + face scores + sex, age, ancestry, group."""
    rng = random_stream(person, SHAPE_STREAM)
    own = np.clip(rng.standard_normal(len(sliders.OWN_SD)), -sliders.CUT, sliders.CUT)
    masculine = masculinity(person, float(rng.standard_normal()))
    value = {}
    for z, (name, sd) in zip(own, sliders.OWN_SD.items(), strict=True):
        value[name] = max(z, 0) * sd if name in sliders.ONE_SIDED else z * sd
    old = float(np.clip((person.age - 30) / 47, 0, 1.15))
    african, asian, _ = person.ancestry
    parts = [(1.0, sliders.BASE), (african, sliders.AFRICAN), (asian, sliders.ASIAN), (old, sliders.OLD)]
    parts += [(masculine - 0.5, sliders.MASCULINE), (1.0, sliders.GROUP.get(person.group, {}))]
    parts += [(float(np.clip(getattr(person, s), -2.5, 2.5)), table) for s, table in sliders.SCORE_SLIDERS.items()]
    for factor, table in parts:
        for name, step in table.items():
            value[name] = value.get(name, 0.0) + factor * step
    value = {name: sliders.LIMIT * float(np.tanh(t / sliders.LIMIT)) for name, t in value.items()}
    for name in ("eye-height2", "eye-height3"):
        value[name] = float(np.clip(value[name], -0.65, 0.42))
    for name in ("neck-double", "eye-epicanthus"):
        value[name] = max(value[name], -0.3)
    for z, name in zip(rng.standard_normal(len(ASYMMETRIES)), ASYMMETRIES, strict=True):
        value[f"asym-{name}-{'l' if z > 0 else 'r'}"] = abs(float(z)) * sliders.ASYMMETRY_SD
    return value


def _macro_weights(person, own: np.ndarray) -> dict[str, float]:
    """Weights of the whole-head targets: sex x age x ancestry, and sex x age x muscle x weight."""
    young = np.clip((person.age - 10) / 9, 0, 1)
    old = 1.2 * np.clip((person.age - 26) / 54, 0, 1.05) ** 1.1  # a little beyond the target "old"
    age = {"child": 1 - young, "young": young * (1 - old), "old": young * old}
    masculine = masculinity(person, own[0])
    sex = {"male": masculine, "female": 1 - masculine}
    fat = np.clip(0.50 + 0.15 * person.fat + 0.05 * own[1], 0.03, 0.98)
    muscle = np.clip(0.52 + 0.10 * own[2] + 0.04 * person.androgen, 0.1, 0.95)
    weights = {}
    for s in SEXES:
        for a in AGES:
            for race, share in zip(RACES, person.ancestry, strict=True):
                weights[f"{race}-{s}-{a}"] = sex[s] * age[a] * share
            for m, wm in _three_steps(muscle).items():
                for w, ww in _three_steps(fat).items():
                    weights[f"universal-{s}-{a}-{m}-{w}"] = sex[s] * age[a] * wm * ww
    return weights


def _three_steps(t: float) -> dict[str, float]:
    return {"min": max(0, 1 - 2 * t), "average": 1 - abs(2 * t - 1), "max": max(0, 2 * t - 1)}


def coefficients(person) -> np.ndarray:
    """Weights of all shape targets for one person, float32 (408,)."""
    model = head_model()
    rng = random_stream(person, SHAPE_STREAM)
    rng.standard_normal(len(sliders.OWN_SD))
    own = rng.standard_normal(4)
    c = np.zeros(len(model.column), np.float32)
    for name, weight in _macro_weights(person, own).items():
        c[model.column[name]] = weight
    for name, t in slider_values(person).items():
        positive, negative = model.slider[name]
        if t >= 0 or negative < 0:  # a one-sided target may run backwards: the model is linear
            c[positive] += t
        else:
            c[negative] -= t
    mean, sd = sliders.RESTING_SMILE
    c[[model.column["mouthSmileLeft"], model.column["mouthSmileRight"]]] = max(0.0, mean + sd * own[3])
    return c


# ---- landmarks and measures


def landmarks(person) -> dict[str, np.ndarray]:
    """True three-dimensional landmarks of a person's neutral face.

    Returns
    -------
    dict
        ``points``: (68, 3) in the usual order of the 68-point scheme (jaw 0-16, brows 17-26, nose 27-35, eyes 36-47,
        mouth 48-67); then one (3,) entry for each anatomical landmark, for example ``zygion_l``, ``gonion_r``,
        ``alare_l``, ``pronasale``, ``subnasale``, ``gnathion``. Millimetres from the point between the eyes; x to the
        person's left, y up, z forward.
    """
    model = head_model()
    millimetres = model.vertices(coefficients(person)).astype(float) * 100
    named = {name: millimetres[i] for name, i in model.anatomical.items()}
    return {"points": millimetres[model.lm68]} | named
