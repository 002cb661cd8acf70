"""Hair: strands grown on the average head, and how strands hang on its vertices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.spatial import cKDTree

from tools.make_assets.skin import SKULL, Template, hair_field, step

POINTS = 10  # of a strand of hair
STRANDS = 2400
CROWN = np.array([0.05, 0.95, -1.05])


def unit(v):
    return v / (np.linalg.norm(v, axis=-1, keepdims=True) + 1e-9)


class Ground:
    """The skin as a surface to grow on: where roots go, how far a point is outside, in which direction."""

    def __init__(self, head: Template):
        self.head, self.index = head, head.skin_vertices
        self.points, self.normals = head.vertices[self.index], head.normals[self.index]
        self.tree = cKDTree(self.points)

    def outside(self, p):
        """Distance of points above the skin (negative inside) and the direction away from it."""
        d, i = self.tree.query(p, k=4)
        w = 1 / (d + 1e-3)
        w /= w.sum(-1, keepdims=True)
        normal = (self.normals[i] * w[..., None]).sum(-2)
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        height = ((p[..., None, :] - self.points[i]) * self.normals[i]).sum(-1)
        return (height * w).sum(-1), normal

    def roots(self, density: Callable, n: int, seed: int):
        """Random points on the skin and their normals; `density` of a triangle's centre weights its area."""
        rng, triangles = np.random.default_rng(seed), self.head.triangles[self.head.skin]
        corner = self.head.vertices[triangles]
        area = np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1)
        weight = area * density(corner.mean(1))
        chosen = rng.choice(len(triangles), n, p=weight / weight.sum())
        bary = rng.dirichlet([1, 1, 1], n)
        points = (corner[chosen] * bary[..., None]).sum(1)
        normals = (self.head.normals[triangles[chosen]] * bary[..., None]).sum(1)
        return points, normals / np.linalg.norm(normals, axis=1, keepdims=True)

    def along(self, v, p):
        """Direction `v` laid onto the skin below `p`."""
        _, n = self.outside(p)
        return unit(v - (v * n).sum(-1, keepdims=True) * n)

    def bind(self, strands):
        """Three nearest vertices of every point and their weights."""
        distance, i = self.tree.query(strands.reshape(-1, 3), k=3)
        w = 1 / (distance + 0.02)
        w /= w.sum(1, keepdims=True)
        return self.index[i].astype(np.uint16), w.astype(np.float16)

    def nearest(self, point):
        return self.index[np.argmin(np.linalg.norm(self.points - np.array(point), axis=1))]


def grow(
    ground: Ground, roots, normals, length, points, comb, stiff=0.6, gravity=0.0, lift=0.3, gap=0.05, wave=0.0,
    curl=0.0, seed=0, comb_decay=0.0,
):  # fmt: skip
    """Grow strands step by step: stiffness, comb direction, gravity, and a gap kept from the skin; (S, K, 3)."""
    rng, n = np.random.default_rng(seed), len(roots)
    length = length if np.ndim(length) else np.full(n, length)
    stride = (length / (points - 1))[:, None]
    direction = unit(lift * normals + comb(roots, 0) * (1 - lift) + 0.08 * rng.standard_normal((n, 3)))
    path, phase, down = [roots], rng.uniform(0, 6.28, (n, 1)), np.array([0, -1.0, 0])
    for k in range(1, points):
        f = k / (points - 1)
        combed = comb(path[-1], f) * (1 - comb_decay * f)
        jitter = 0.05 * rng.standard_normal((n, 3))
        direction = unit(stiff * direction + (1 - stiff) * combed + gravity * down + jitter)
        q = path[-1] + stride * direction
        if wave:
            side = unit(np.cross(direction, normals))
            q = q + wave * np.sin(phase + f * 14 + 3 * (roots[:, :1])) * side * stride
        height, away = ground.outside(q)
        q = q + np.maximum(gap * min(1, k / 2.0) - height, 0)[:, None] * away
        direction = unit(q - path[-1])
        path.append(q)
    strands = np.stack(path, 1)
    return _curled(strands, normals, phase, curl) if curl else strands


def _curled(strands, normals, phase, curl):
    t = np.linspace(0, 1, strands.shape[1])[None, :, None]
    turns = curl * 26
    tangent = unit(np.gradient(strands, axis=1))
    a = unit(np.cross(tangent, normals[:, None]))
    b = np.cross(tangent, a)
    size = 0.045 * np.minimum(1, t * 4)
    return strands + size * (np.cos(turns * t + phase[:, None]) * a + np.sin(turns * t + phase[:, None]) * b)


def scalp_density(receding=0.0, bald_top=0.0):
    """Where hair grows: above the hairline, not on the ears, less with a receding line or a bald top."""

    def density(c):
        degrees, azimuth, elevation = hair_field(c)
        front = step(10, 35, azimuth) * step(75, 40, azimuth)
        s = np.clip(degrees / 3 + 0.5 - receding * front / 3 * 12 - receding * 3 * step(60, 20, azimuth), 0, 1)
        s *= c[:, 2] < 0.6
        ear = (np.abs(c[:, 0]) > 0.70) & (c[:, 1] < 0.1) & (c[:, 1] > -0.55) & (c[:, 2] > -1.05) & (c[:, 2] < -0.5)
        s[ear] = 0
        if bald_top:
            s *= 1 - bald_top * step(6, 20, elevation) * step(172, 130, azimuth)
        return s

    return density


class Combs:
    """Directions in which hair is combed: functions of position and of how far along the strand."""

    def __init__(self, ground: Ground):
        self.g = ground

    def forward(self, p, f):
        return self.g.along(unit(p - CROWN) + np.array([0, -0.1, 0.35]), p)

    def back(self, p, f):
        return self.g.along(np.array([0, -0.25, -1.0]) + np.stack([0.25 * p[:, 0], 0 * p[:, 0], 0 * p[:, 0]], 1), p)

    def radial(self, p, f):
        return unit(p - SKULL)

    def down(self, p, f):
        r = p - CROWN
        r[:, 1] *= 0.3
        return self.g.along(unit(r) * 0.6 + np.array([0, -1.0, 0]), p)

    def part(self, x):
        def comb(p, f):
            side = np.sign(p[:, 0] - x)[:, None]
            top = step(0.35, 0.8, p[:, 1])[:, None]
            v = top * (side * np.array([[1.0, -0.1, -0.35]])) + (1 - top) * np.array([[0, -1.0, -0.25]]) + 0 * p
            return self.g.along(v, p)

        return comb

    def bangs(self, x):
        parted = self.part(x)

        def comb(p, f):
            w = (step(-0.75, -0.35, p[:, 2]) * step(0.6, 0.35, np.abs(p[:, 0])))[:, None]
            ahead = np.array([0, -0.5, 1.0]) + 0.5 * np.stack([p[:, 0], 0 * p[:, 0], 0 * p[:, 0]], 1)
            return unit(w * self.g.along(ahead, p) + (1 - w) * parted(p, f))

        return comb

    def tie(self, target):
        return lambda p, f: self.g.along(unit(np.array(target) - p), p)


def top_and_sides(top, side):
    """Hair length that grows from the sides to the top."""
    return lambda p: side + (top - side) * step(0.25, 0.75, p[:, 1])


def _long(base, extra):
    return lambda p: base + extra * np.clip(p[:, 1], 0, 1.1)


def _bangs_length(p):
    front = (p[:, 2] > -0.45) & (np.abs(p[:, 0]) < 0.5)
    return np.where(front, 0.62, 1.1 + 0.75 * np.clip(p[:, 1], 0, 1.1))


def _to(target, factor):
    return lambda p: np.linalg.norm(p - np.array(target), axis=1) * factor


TAIL, BUN = (0, 0.55, -1.55), (0, 1.15, -1.1)


def recipes(c: Combs) -> dict[str, tuple]:
    """Style -> (comb, length, density, number of strands, further settings of `grow`); the order seeds the dice."""
    usual, receding, bald = scalp_density(), scalp_density(1.0), scalp_density(0.0, 1.0)
    long, n, tight = _long, STRANDS, top_and_sides
    up = lambda p, f: unit(c.forward(p, f) + 0.9 * c.radial(p, f))  # noqa: E731
    curly = lambda p, f: unit(0.6 * c.radial(p, f) + 0.4 * c.forward(p, f))  # noqa: E731
    heavy = lambda p, f: unit(c.radial(p, f) + np.array([0, -0.75 * f, 0]))  # noqa: E731
    fall = {"gravity": 0.3, "comb_decay": 1.0}
    return {
        "buzz": (c.forward, 0.06, usual, 4200, {"lift": 0.5, "gap": 0.008}),
        "crop": (c.forward, tight(0.30, 0.14), usual, n, {"lift": 0.45, "gap": 0.035}),
        "crop_rec": (c.forward, tight(0.28, 0.13), receding, n, {"lift": 0.4, "gap": 0.03}),
        "sidepart": (c.part(0.28), tight(0.62, 0.18), usual, n, {"lift": 0.5, "gap": 0.07, "stiff": 0.5}),
        "slick": (c.back, tight(0.65, 0.25), usual, n, {"lift": 0.35, "gap": 0.05, "stiff": 0.5}),
        "slick_rec": (c.back, tight(0.55, 0.2), receding, n, {"lift": 0.3, "gap": 0.04}),
        "spiky": (up, tight(0.42, 0.16), usual, n, {"lift": 0.7, "gap": 0.04}),
        "horseshoe": (c.down, 0.22, bald, n, {"lift": 0.35, "gap": 0.03}),
        "curly_s": (curly, tight(0.5, 0.25), usual, n, {"lift": 0.7, "gap": 0.05, "curl": 0.8}),
        "afro_s": (c.radial, 0.28, usual, 3000, {"lift": 1.0, "gap": 0.05, "curl": 1.2}),
        "afro": (c.radial, 0.62, usual, 3000, {"lift": 1.0, "gap": 0.08, "curl": 1.6}),
        "afro_l": (heavy, tight(0.55, 0.8), usual, 3000, {"lift": 0.9, "gap": 0.1, "curl": 1.6, "gravity": 0.08}),
        "bob": (c.part(0.22), long(1.15, 0.75), usual, n,
                {"lift": 0.3, "gap": 0.09, "stiff": 0.55, "gravity": 0.28, "comb_decay": 1.0}),
        "bob_bang": (c.bangs(0.0), _bangs_length, usual, n,
                     {"lift": 0.3, "gap": 0.08, "stiff": 0.55, "gravity": 0.25, "comb_decay": 0.9}),
        "long": (c.part(0.0), long(2.5, 0.5), usual, n, {"lift": 0.3, "gap": 0.08} | fall),
        "long_side": (c.part(0.3), long(2.3, 0.5), usual, n,
                      {"lift": 0.35, "gap": 0.11, "gravity": 0.28, "comb_decay": 1.0, "wave": 0.5}),
        "long_wavy": (c.part(-0.2), long(2.0, 0.5), usual, n,
                      {"lift": 0.4, "gap": 0.14, "gravity": 0.26, "comb_decay": 1.0, "curl": 0.7}),
        "tied": (c.tie(TAIL), _to(TAIL, 1.05), usual, n, {"lift": 0.2, "gap": 0.04, "stiff": 0.35}),
        "bun": (c.tie(BUN), _to(BUN, 1.0), usual, n, {"lift": 0.2, "gap": 0.04, "stiff": 0.35}),
        "pixie": (c.part(0.3), tight(0.75, 0.4), usual, n, {"lift": 0.3, "gap": 0.06, "stiff": 0.5, "gravity": 0.1}),
    }  # fmt: skip


def _tidy(strands, name):
    """Leave out strands that hang over the face and, except for tight curls, the loneliest twentieth."""
    x, y, z = np.abs(strands[..., 0]), strands[..., 1], strands[..., 2]
    lowest = 0.33 if "bang" in name else 0.55
    over_face = (z > -0.25) & (y < lowest) & (x < 0.54 + 0.10 * (y < -0.2)) & (y > -1.2)
    if "bang" in name:
        over_face &= ~((y > 0.12) & (x < 0.5))
    strands = strands[~over_face.any(1)]
    if "afro" not in name:
        points = strands.reshape(-1, 3)
        loneliness = cKDTree(points).query(points, k=24)[0][:, -1].reshape(strands.shape[:2]).max(1)
        strands = strands[loneliness < np.quantile(loneliness, 0.955)]
    return strands.astype(np.float32)


def _ball(centre, radius, n, seed):
    """Strands wound around a sphere: the knot of a bun."""
    rng = np.random.default_rng(seed)
    a = unit(rng.standard_normal((n, 3)))
    b = unit(np.cross(a, unit(rng.standard_normal((n, 3)) + np.array([0, 2, 0]))))
    t = np.linspace(0, 1.6, POINTS)[None, :, None]
    size = radius * rng.uniform(0.85, 1.02, (n, 1, 1))
    return (np.array(centre) + size * (np.cos(t) * a[:, None] + np.sin(t) * b[:, None])).astype(np.float32)


def hair_styles(ground: Ground) -> dict[str, np.ndarray]:
    """All hair styles: name -> strands (S, 10, 3)."""
    styles = {}
    for seed, (name, (comb, length, density, n, settings)) in enumerate(recipes(Combs(ground)).items(), start=1):
        roots, normals = ground.roots(density, n, seed)
        long = length(roots) if callable(length) else np.full(len(roots), length)
        long = long * np.random.default_rng(seed).uniform(0.8, 1.1, len(roots))
        styles[name] = _tidy(grow(ground, roots, normals, long, POINTS, comb, seed=seed, **settings), name)
    styles["bun"] = np.concatenate([styles["bun"], _ball((0, 1.2, -1.05), 0.34, 500, 1)])
    styles["tied"] = np.concatenate([styles["tied"], _ball((0, 0.5, -1.6), 0.25, 300, 2)])
    return styles
