"""Brows, beards, lashes and glasses: strands on the face of the average head."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from s2f_lib.people.raster import draw_triangles
from tools.make_assets.growth import Ground, grow, unit
from tools.make_assets.skin import BROW, Template

EYE_VIEW, EYE_SCALE = 1400, 1400.0  # pixels and pixels per decimetre of the frontal view in which lids are traced
BROWS = {"thin": (0.017, 520, 0.044), "mid": (0.026, 800, 0.050), "thick": (0.035, 1100, 0.055)}  # width, n, length


def _brow_roots(ground: Ground, width, n, seed):
    """Roots along the brow curve on both sides, dropped onto the skin, with normals and directions."""
    rng, curve = np.random.default_rng(seed), np.array(BROW)
    length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))]
    t = 0.03 + 0.97 * rng.uniform(0, 1, n) ** 0.95
    x = np.interp(t * length[-1], length, curve[:, 0])
    middle = np.interp(t * length[-1], length, curve[:, 1])
    y = middle + rng.normal(0, 0.45, n).clip(-1, 1) * width * (1 - 0.6 * t)
    side = np.where(rng.random(n) < 0.5, 1, -1)
    roots = np.stack([side * x, y, np.full(n, 0.3)], 1)
    face = ground.points[:, 2] > -0.4
    d, i = cKDTree(ground.points[face][:, :2]).query(roots[:, :2], k=4)
    w = 1 / (d + 1e-3)
    w /= w.sum(1, keepdims=True)
    roots[:, 2] = (ground.points[face][i, 2] * w).sum(1)
    rise = np.clip(0.28 - 0.75 * t, -0.40, 0.28) - 0.55 * (y - middle) / width
    return roots, unit(np.stack([side * (1 - 0.4 * np.abs(rise)), rise, -0.35 * t], 1))


def brow(ground: Ground, width, n, length) -> np.ndarray:
    """Strands (n, 4, 3) of both brows."""
    roots, direction = _brow_roots(ground, width, n, 31)
    lengths = length * np.random.default_rng(3).uniform(0.7, 1.1, (n, 1, 1))
    points = roots[:, None] + np.linspace(0, 1, 4)[None, :, None] * lengths * direction[:, None]
    height, away = ground.outside(points.reshape(-1, 3))
    wanted = np.array([0.004, 0.012, 0.014, 0.01] * n)
    return (points.reshape(-1, 3) + (wanted - height)[:, None] * away).reshape(n, 4, 3).astype(np.float32)


def _beard(ground: Ground, density, comb, n, length, points, seed, lift, gap):
    roots, normals = ground.roots(density, n, seed)
    lengths = length * np.random.default_rng(seed).uniform(0.7, 1.1, n)
    strands = grow(ground, roots, normals, lengths, points, comb, seed=seed, lift=lift, gap=gap, stiff=0.5)
    return strands.astype(np.float32)


def beards(ground: Ground, canvas, masks) -> dict[str, np.ndarray]:
    """Beards that grow where the masks say."""
    tree = cKDTree(canvas.points[canvas.covered])

    def zone(*names):
        def density(p):
            i = tree.query(p)[1]
            each = [np.clip(masks[name][canvas.covered][i], 0, 1) ** 1.5 + 1e-9 for name in names]
            return sum(each[1:], each[0])

        return density

    down = lambda p, f: ground.along(np.array([0, -1.0, 0.15]) + 0 * p, p)  # noqa: E731
    out = lambda p, f: ground.along(np.stack([np.sign(p[:, 0]), -0.8 + 0 * p[:, 0], 0 * p[:, 0]], 1), p)  # noqa: E731
    return {
        "beard_full": _beard(ground, zone("beard", "stache"), down, 2600, 0.15, 5, 41, 0.35, 0.025),
        "beard_short": _beard(ground, zone("beard", "stache"), down, 3000, 0.05, 4, 42, 0.5, 0.012),
        "stache": _beard(ground, zone("stache"), out, 600, 0.10, 5, 43, 0.3, 0.02),
        "goatee": _beard(ground, zone("goatee", "stache"), down, 1500, 0.10, 5, 44, 0.35, 0.02),
    }


class EyeView:
    """A large frontal view of the template in which the rims of the lids are traced."""

    def __init__(self, head: Template):
        n, v = EYE_VIEW, head.vertices
        screen = np.stack([n / 2 + EYE_SCALE * v[:, 0], n / 2 - EYE_SCALE * v[:, 1], 10 - v[:, 2]], 1)
        screen = screen.astype(np.float32)
        ids, bary = np.full((n, n), -1, np.int32), np.zeros((n, n, 3), np.float32)
        self.depth = np.full((n, n), 1e9, np.float32)
        draw_triangles(screen, head.solid, ids, bary, self.depth, False)
        part = np.where(ids >= 0, head.part[head.part < 6][ids], 255)
        self.rims = {e: self._rims(part == e) for e in (1, 2)}  # eye -> upper and lower rim, (X, Y) pixels

    @staticmethod
    def _rims(eye):
        rows, columns = np.nonzero(eye)
        upper, lower = [], []
        for x in range(columns.min(), columns.max() + 1):
            y = rows[columns == x]
            if len(y):
                upper.append((x, y.min()))
                lower.append((x, y.max()))
        return np.array(upper), np.array(lower)

    def position(self, x, y, beyond):
        """Decimetres of pixels of a rim, with the depth found `beyond` pixels further down."""
        z = 10 - self.depth[np.clip(y + beyond, 0, EYE_VIEW - 1), x]
        return np.stack([(x - EYE_VIEW / 2) / EYE_SCALE, (EYE_VIEW / 2 - y) / EYE_SCALE, z], -1)


def lashes(view: EyeView) -> np.ndarray:
    """Upper and lower lashes of both eyes, strands (260, 4, 3)."""
    rng, found = np.random.default_rng(5), []
    t = np.linspace(0, 1, 4)[None, :, None]
    for upper, lower in view.rims.values():
        first, last = upper[0, 0], upper[-1, 0]
        for rim, n, sign, length in ((upper, 80, 1, 0.052), (lower, 50, -1, 0.02)):
            x, y = rim[rng.integers(3, len(rim) - 3, n)].T
            roots = view.position(x, y, -sign * 2) + np.array([0, 0, 0.008])
            u = (x - first) / (last - first) - 0.5
            start = unit(np.stack([u * 1.3, sign * (0.35 + 0.2 * rng.random(n)), 0.9 + 0 * u], 1))
            end = unit(np.stack([u * 1.6, sign * 1.0 + 0 * u, 0.5 + 0 * u], 1))
            lengths = length * rng.uniform(0.75, 1.1, (n, 1, 1))
            found.append(roots[:, None] + lengths * t * ((1 - t) * start[:, None] + t * end[:, None]))
    return np.concatenate(found).astype(np.float32)


def glasses(ground: Ground) -> np.ndarray:
    """A frame as 15 strands (15, 10, 3): two rims of six pieces, two arms, one bridge."""

    def bent(x, y):  # the front is slightly curved around the face
        return np.stack([x, y, 0.30 - 0.22 * np.clip(np.abs(x) - 0.08, 0, 1) ** 1.5 - 0.02 * y], 1)

    frame, t = [], np.linspace(0, 1, 10)
    for side in (-1, 1):
        for piece in range(6):
            angle = np.linspace(piece, piece + 1, 10) / 6 * 2 * np.pi
            c, s = np.cos(angle), np.sin(angle)
            x = side * (0.305 + 0.215 * np.sign(c) * np.abs(c) ** 0.75)
            frame.append(bent(x, -0.045 + 0.155 * np.sign(s) * np.abs(s) ** 0.75))
        x = side * np.interp(t, [0, 0.3, 1], [0.52, 0.66, 0.73])
        arm = np.stack([x, 0.02 + 0 * t, np.interp(t, [0, 1], [0.235, -0.72])], 1)
        height, away = ground.outside(arm)
        frame.append(arm + np.maximum(0.03 - height, 0)[:, None] * away)
    frame.append(bent(np.linspace(-0.095, 0.095, 10), 0.0 + 0.03 * np.cos(np.linspace(-1.5, 1.5, 10))))
    return np.stack(frame).astype(np.float32)


def bind_glasses(ground: Ground, strands):
    """Glasses sit on the bridge of the nose and the sides of the head, not on every fold between them."""
    q = strands.reshape(-1, 3)
    seats = np.array([ground.nearest(p) for p in ((-0.64, 0.03, -0.35), (0, -0.04, 0.2), (0.64, 0.03, -0.35))])
    f = np.clip(q[:, 0] / 0.60, -1, 1)
    weight = np.stack([np.maximum(-f, 0), 1 - np.abs(f), np.maximum(f, 0)], 1)
    return np.tile(seats, (len(q), 1)).astype(np.uint16), weight.astype(np.float16)
