"""Triangle meshes of accessories: grids, tubes, balls, and surfaces that lie on a head without cutting into it."""

from dataclasses import dataclass

import numpy as np

from s2f_lib.people.raster import vertex_normals

SNUG = 2.2  # per decimetre: how quickly cloth leaves a bump that it lies on


@dataclass(frozen=True)
class Mesh:
    """A thing, or a part of one."""

    points: np.ndarray  # float32 (N, 3), decimetres in the frame of the head
    triangles: np.ndarray  # int32 (T, 3), seen from both sides
    colour: np.ndarray  # float32 (N, 3), linear RGB; of a lens, the share of light that passes
    gloss: np.ndarray  # float32 (N,)

    def normals(self) -> np.ndarray:
        """Unit normals, float32 (N, 3)."""
        out = np.zeros_like(self.points)
        vertex_normals(self.points, self.triangles, out)
        return out

    def moved(self, points: np.ndarray) -> "Mesh":
        """The same mesh with other points."""
        return Mesh(np.ascontiguousarray(points, np.float32), self.triangles, self.colour, self.gloss)


def mesh(points, triangles, colour, gloss=0.03) -> Mesh:
    """A `Mesh`; `colour` may be one for all points, `gloss` one number."""
    points = np.ascontiguousarray(points, np.float32).reshape(-1, 3)
    colour = np.ascontiguousarray(np.broadcast_to(np.reshape(colour, (-1, 3)), points.shape), np.float32)
    gloss = np.ascontiguousarray(np.broadcast_to(np.float32(gloss), len(points)))
    return Mesh(points, np.ascontiguousarray(triangles, np.int32), colour, gloss)


def join(meshes: list[Mesh]) -> Mesh:
    """One mesh of several."""
    first = np.cumsum([0] + [len(m.points) for m in meshes[:-1]])
    triangles = [m.triangles + f for m, f in zip(meshes, first, strict=True)]
    parts = [[getattr(m, name) for m in meshes] for name in ("points", "colour", "gloss")]
    points, colour, gloss = (np.concatenate(p) for p in parts)
    return Mesh(points, np.concatenate(triangles).astype(np.int32), colour, gloss)


def grid(points: np.ndarray, colour, gloss=0.03, around: bool = False) -> Mesh:
    """A sheet of points (rows, columns, 3); `around` also joins the last column to the first."""
    rows, columns = points.shape[:2]
    number = np.arange(rows * columns).reshape(rows, columns)
    if around:
        number = np.concatenate([number, number[:, :1]], axis=1)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]
    triangles = np.stack([a, b, c, c, b, d], axis=-1).reshape(-1, 3)
    return mesh(points, triangles, colour, gloss)


def tube(line: np.ndarray, radius, colour, gloss=0.3, closed: bool = False, sides: int = 8) -> Mesh:
    """A tube along a line (points, 3); `radius` is a number, one per point, or (points, 2) for an oval."""
    line = np.asarray(line, float)
    if closed:
        along = np.roll(line, -1, axis=0) - np.roll(line, 1, axis=0)
    else:
        along = np.gradient(line, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-9
    side = np.cross(along, [0.0, 0.0, 1.0])
    weak = np.linalg.norm(side, axis=1) < 0.2
    side[weak] = np.cross(along[weak], [0.0, 1.0, 0.0])
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = np.cross(side, along)
    radius = np.asarray(radius, float)
    radius = np.broadcast_to(radius[:, None] if radius.ndim == 1 else radius, (len(line), 2))
    turn = np.arange(sides) * 2 * np.pi / sides
    ring = np.cos(turn)[:, None, None] * side * radius[:, :1] + np.sin(turn)[:, None, None] * other * radius[:, 1:]
    points = line + ring  # (sides, points, 3)
    if closed:
        points = np.concatenate([points, points[:, :1]], axis=1)
    return grid(points.transpose(1, 0, 2), colour, gloss, around=True)


def ball(centre, radius: float, colour, gloss=0.03, rows: int = 24, columns: int = 48, bumps=0.0) -> Mesh:
    """A ball; `colour` (rows, columns, 3) and `bumps` (rows, columns, shares of the radius) may vary."""
    up, turn = np.linspace(-np.pi / 2, np.pi / 2, rows), np.arange(columns) * 2 * np.pi / columns
    cosine = np.cos(up)[:, None]
    unit = np.stack(np.broadcast_arrays(cosine * np.sin(turn), np.sin(up)[:, None], cosine * np.cos(turn)), axis=-1)
    return grid(np.asarray(centre) + radius * (1 + np.asarray(bumps)[..., None]) * unit, colour, gloss, around=True)


def shell(wanted: np.ndarray, found: np.ndarray, radius: np.ndarray, snug: float = SNUG) -> np.ndarray:
    """Radius of cloth that lies on points without cutting them: the upper envelope of parabolas on them.

    It is `wanted` at (n, D) places along the surface; the head has points at `found` (m, D), at a `radius` (m,) from
    its axis or centre.
    """
    square = ((wanted[:, None] - found[None]) ** 2).sum(axis=2)
    return (radius - snug * square).max(axis=1)


def smoothed(sheet: np.ndarray, rows: float, columns: float, around: bool = False) -> np.ndarray:
    """A sheet (rows, columns) without creases."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(sheet, (rows, columns), mode=("nearest", "wrap" if around else "nearest"))
