"""Hair, brows, lashes, beards and glasses as strands: which ones a look has, and where they are on a head."""

from dataclasses import dataclass, replace
from functools import cache, lru_cache

import numpy as np

from s2f_lib.people import paint
from s2f_lib.people.head import PIVOT, asset, head_model
from s2f_lib.people.look import Appearance
from s2f_lib.people.raster import draw_strands, place_strands

# material, width at the root and at the tip (decimetres)
KINDS = {
    "hair": (paint.HAIR_M, 0.026, 0.013),
    "brow": (paint.BROW_M, 0.0055, 0.003),
    "beard": (paint.BEARD_M, 0.011, 0.006),
    "lash": (paint.LASH_M, 0.005, 0.002),
    "glasses": (paint.LASH_M, 0.030, 0.030),
}
SHADOW_STRIDE = {"hair": 3, "glasses": 1}  # these cast shadows; every third hair, twice as wide, is enough


@dataclass(frozen=True)
class Strands:
    """The strands of one picture, placed in the camera frame."""

    groups: tuple  # of (kind, name in the asset, factor of the width)
    points: np.ndarray  # float32 (n, 3), one strand after the other
    tangents: np.ndarray
    segments: tuple  # arrays (m,), see `_segments`

    def under(self, worn) -> "Strands":
        """The strands with a hat on them (see `accessories.Accessories`)."""
        points, row = self.points.copy(), 0
        for kind, name, _ in self.groups:
            n = int(np.prod(shape(name)))
            if kind == "hair":
                points[row : row + n] = worn.tuck(points[row : row + n])
            row += n
        return replace(self, points=points)

    def draw(self, screen, scale: float, triangle_id, bary, depth, shadow: bool = False) -> None:
        """Draw into the buffers of a picture, or what casts a shadow into a depth map (the others are left alone).

        Segments are numbered on from the last triangle of the head.
        """
        row, first = 0, len(head_model().triangles)
        for kind, name, wider in self.groups:
            n, steps = shape(name)
            _, root, tip = KINDS[kind]
            if stride := SHADOW_STRIDE.get(kind, 0) if shadow else 1:
                widths = (root * 2, tip * 2) if shadow else (root * wider, tip * wider)
                draw_strands(screen, row, n, steps, *widths, scale, triangle_id, bary, depth, first, stride, shadow)
            row, first = row + n * steps, first + n * (steps - 1)


@cache
def strand_asset() -> dict[str, tuple]:
    """Name -> template points (S, K, 3), three bound vertices (S, K, 3) and their weights (S, K, 3)."""
    arrays = asset("look")
    names = [key[:-2] for key in arrays if key.endswith("_p")]
    types = {"_p": np.float32, "_i": np.int32, "_w": np.float32}
    return {n: tuple(arrays[n + end].astype(t) for end, t in types.items()) for n in names}


def shape(name: str) -> tuple[int, int]:
    """Number of strands and points of a strand."""
    return strand_asset()[name][0].shape[:2]


def _groups(look: Appearance) -> tuple:
    groups = [] if look.hair_style == "none" else [("hair", f"h_{look.hair_style}", 1.0)]
    groups += [("brow", f"f_brow_{look.brow_style}", look.brow_width), ("lash", "f_lash", look.lash_width)]
    if look.glasses:
        groups.append(("glasses", "f_glasses", look.glasses))
    if look.beard not in ("none", "stubble"):
        groups.append(("beard", f"f_{look.beard}", 1.0))
    return tuple(groups)


@lru_cache(maxsize=512)
def _segments(groups: tuple) -> tuple:
    """For each line segment: first point, position along the strand, its length, strand number and material."""
    point, along, length, number, material, start = [], [], [], [], [], 0
    for kind, name in groups:
        n, steps = shape(name)
        point.append((np.arange(n)[:, None] * steps + np.arange(steps - 1) + start).ravel())
        along.append(np.tile(np.arange(steps - 1) / (steps - 1), n))
        length.append(np.full(n * (steps - 1), 1 / (steps - 1)))
        number.append(np.repeat(np.arange(n), steps - 1))
        material.append(np.full(n * (steps - 1), KINDS[kind][0]))
        start += n * steps
    parts = (point, along, length, number, material)
    types = (np.int32, np.float32, np.float32, np.int32, np.int32)
    return tuple(np.concatenate(p).astype(t) for p, t in zip(parts, types, strict=True))


def _shape_brow(strands: np.ndarray, params: dict) -> np.ndarray:
    """Lift, arch and thicken the template's brow strands as the painted underlay is (see `paint.brow_cover`)."""
    x, y = np.abs(strands[..., 0]), strands[..., 1]
    curve = np.interp(x, paint.BROW_X, paint.BROW_Y)
    moved = strands.copy()
    shift = params["brow_lift"] + params["brow_arch"] * np.exp(-(((x - 0.38) / 0.12) ** 2))
    moved[..., 1] = curve + (y - curve) * min(params["brow_thickness"], 1.25) + shift
    moved[..., 2] -= np.clip(shift, -0.05, 0.05) * 0.25  # the forehead leans back
    return moved


def place(look: Appearance, vertices: np.ndarray, turn: np.ndarray, shift: np.ndarray) -> Strands:
    """The strands of a look on a head, float32 (N, 3) decimetres, turned (3, 3) and shifted (3,) to the camera."""
    groups = _groups(look)
    n_points = sum(np.prod(shape(name)) for _, name, _ in groups)
    points, tangents = np.empty((n_points, 3), np.float32), np.empty((n_points, 3), np.float32)
    moved = (vertices - head_model().template).astype(np.float32)
    row = 0
    for kind, name, _ in groups:
        template, index, weight = strand_asset()[name]
        if kind == "brow":
            template = _shape_brow(template, look.params)
        row = place_strands(template, index, weight, moved, turn, shift, PIVOT, points, tangents, row)
    return Strands(groups, points, tangents, _segments(tuple((kind, name) for kind, name, _ in groups)))
