"""Hats: a cap with a peak and a woollen hat, laid on the skull of the person; the hair is tucked under them."""

from dataclasses import dataclass

import numpy as np

from s2f_lib.people.accessories.mesh import Mesh, ball, grid, join, shell, smoothed
from s2f_lib.people.head import head_model
from s2f_lib.people.look import LOOKS, linear_rgb

CLOTH_SRGB = LOOKS["cloth_srgb"]
STEPS = 240, 40  # points around a hat and from rim to crown
COARSE = 60, 16  # directions in which the skull is felt


@dataclass(frozen=True)
class Crown:
    """Where a hat sits: an origin in the plane of its rim, three axes (right, up, forward) and the skull's radius."""

    origin: np.ndarray
    axes: np.ndarray  # rows: the person's left, up, forward
    radius: np.ndarray  # (COARSE[1], COARSE[0]) decimetres by elevation and azimuth

    def directions(self, azimuth: np.ndarray, elevation: np.ndarray) -> np.ndarray:
        left, up, forward = self.axes
        flat = np.sin(azimuth)[..., None] * left + np.cos(azimuth)[..., None] * forward
        return np.cos(elevation)[..., None] * flat + np.sin(elevation)[..., None] * up

    def reach(self, azimuth: np.ndarray, elevation: np.ndarray) -> np.ndarray:
        """Radius of the skull in these directions, interpolated."""
        from scipy.ndimage import map_coordinates

        rows = np.clip(elevation / (np.pi / 2) * (COARSE[1] - 1), 0, COARSE[1] - 1)
        columns = np.mod(azimuth / (2 * np.pi), 1) * COARSE[0]
        wide = np.concatenate([self.radius, self.radius[:, :1]], axis=1)
        return map_coordinates(wide, [rows, columns], order=1, mode="nearest")


def crown(vertices: np.ndarray, front: float, back: float) -> Crown:
    """Lay the rim of a hat on a head (N, 3): `front` and `back` decimetres above the eyes at forehead and nape."""
    skull = vertices[_skull()]
    forehead = skull[:, 2][np.abs(skull[:, 1] - front) < 0.15].max()
    nape = skull[:, 2][np.abs(skull[:, 1] - back) < 0.15].min()
    forward = np.array([0, front - back, forehead - nape])
    forward /= np.linalg.norm(forward)
    axes = np.stack([np.array([1.0, 0, 0]), np.cross(forward, [1.0, 0, 0]), forward])
    origin = np.array([0, 0.5 * (front + back), 0.5 * (forehead + nape)])
    felt = skull - origin
    felt = felt[felt @ axes[1] > -0.3]
    length = np.linalg.norm(felt, axis=1)
    bare = Crown(origin, axes, np.empty(0))
    azimuth = np.arange(COARSE[0]) * 2 * np.pi / COARSE[0]
    elevation = np.linspace(0, np.pi / 2, COARSE[1])
    unit = bare.directions(*np.meshgrid(azimuth, elevation)).reshape(-1, 3)
    radius = shell(unit, felt / length[:, None], length).reshape(COARSE[1], COARSE[0])
    return Crown(origin, axes, smoothed(radius, 0.8, 1.2, around=True))


def _skull() -> np.ndarray:
    """Vertices of the scalp and the forehead, without ears and face."""
    model = head_model()
    x, y, z = model.template.T
    ear = (np.abs(x) > 0.68) & (y < 0.25) & (z > -1.05) & (z < -0.35)
    skin = np.zeros(len(x), bool)
    skin[np.unique(model.triangles[model.part == 0])] = True
    return np.flatnonzero(skin & ~ear & (y > -0.45) & ((y > 0.2) | (z < -0.35)) & (np.abs(x) < 1.0))


def tuck(points: np.ndarray, seat: Crown, room: float) -> np.ndarray:
    """Hair (n, 3) in the frame of the head, pressed under the hat; below the rim it spreads as it likes."""
    local = (points - seat.origin) @ seat.axes.T
    length = np.linalg.norm(local, axis=1) + 1e-9
    azimuth = np.arctan2(local[:, 0], local[:, 2])
    elevation = np.arcsin(np.clip(local[:, 1] / length, -1, 1))
    free = np.maximum(0, -local[:, 1]) * 0.8
    limit = seat.reach(azimuth, np.maximum(elevation, 0)) + room + free
    limit[local[:, 1] < -0.9] = np.inf
    local *= np.minimum(1, limit / length)[:, None]
    return (local @ seat.axes + seat.origin).astype(np.float32)


def _sheet(seat: Crown, height: np.ndarray, over, around: np.ndarray) -> np.ndarray:
    """Points (rows, columns, 3): `height` above the rim along the skull, `over` the skull."""
    azimuth, elevation = np.meshgrid(around, height * np.pi / 2)
    radius = seat.reach(azimuth, np.maximum(elevation, 0)) + over
    return seat.origin + radius[..., None] * seat.directions(azimuth, elevation)


def woollen_hat(vertices: np.ndarray, rng: np.random.Generator) -> tuple[Mesh, Crown, float]:
    """A ribbed woollen hat with a turned-up edge, sometimes with a bobble."""
    front, back = rng.uniform(0.30, 0.50), rng.uniform(-0.18, 0.02)
    first, second = (linear_rgb(CLOTH_SRGB[i]) for i in rng.permutation(len(CLOTH_SRGB))[:2])
    two, bobble, tall, ribs = rng.random() < 0.4, rng.random() < 0.35, rng.uniform(0.0, 0.3), rng.integers(38, 54)
    seat = crown(vertices, front, back)
    around = np.arange(STEPS[0]) * 2 * np.pi / STEPS[0]
    wave = 0.5 + 0.5 * np.cos(ribs * around)
    rise = np.linspace(0.10, 1, STEPS[1])[:, None]
    rows = np.sin(rise * 90)
    over = 0.075 + tall * np.sin(rise * np.pi / 2) ** 3 + 0.012 * wave * np.cos(rise * np.pi / 2) ** 0.5
    top = grid(
        _sheet(seat, rise[:, 0], over, around),
        (first * (0.62 + 0.38 * wave[:, None]) * (0.94 + 0.06 * rows[..., None])).clip(0, 1), around=True,
    )  # fmt: skip
    low, high = 0.0, 0.23
    height = np.array([0.05, 0.0, *np.linspace(low, high, 14), high, 0.2])
    out = np.array([0.03, 0.07, *(0.125 + 0.02 * np.sin(np.linspace(0, np.pi, 14))), 0.10, 0.05])
    shade = np.array([0.4, 0.7, *np.linspace(0.85, 1, 14), 0.8, 0.35])
    cuff = grid(
        _sheet(seat, height, out[:, None] + 0.012 * wave, around),
        (second if two else first) * (0.66 + 0.34 * wave[:, None]) * shade[:, None, None], around=True,
    )  # fmt: skip
    parts = [top, cuff]
    if bobble:
        tip = top.points[-1] + 0.16 * seat.axes[1]
        fluff = rng.normal(0, 0.07, (24, 48))
        parts.append(ball(tip, 0.26, second * (1 + 2.5 * fluff[..., None]).clip(0.5, 1.4), bumps=fluff))
    return join(parts), seat, 0.045


def cap(vertices: np.ndarray, rng: np.random.Generator) -> tuple[Mesh, Crown, float]:
    """A cap of six panels with a peak over the forehead."""
    front, back = rng.uniform(0.42, 0.58), rng.uniform(-0.05, 0.1)
    first, second = (linear_rgb(CLOTH_SRGB[i]) for i in rng.permutation(len(CLOTH_SRGB))[:2])
    two, long, bend = rng.random() < 0.25, rng.uniform(0.55, 0.70), rng.uniform(0.06, 0.18)
    seat = crown(vertices, front, back)
    around = np.arange(STEPS[0]) * 2 * np.pi / STEPS[0]
    rise = np.linspace(0, 1, STEPS[1])[:, None]
    stiff = 0.13 * np.sin(rise * np.pi * 0.8).clip(0) * np.maximum(0, np.cos(around)) ** 2
    over = 0.07 + stiff + 0.03 * np.sin(rise * np.pi / 2)
    panel = np.abs((around * 6 / (2 * np.pi) + 0.5) % 1 - 0.5) * 2  # 0 on a seam, 1 in the middle of a panel
    seam = np.exp(-((panel * seat.radius.mean() / 0.08) ** 2)) * (rise < 0.97)
    band = np.exp(-(((rise - 0.02) / 0.02) ** 2))
    shade = (1 - 0.35 * seam) * (1 - 0.3 * band)
    top = grid(_sheet(seat, rise[:, 0], over - 0.012 * seam, around), first * shade[..., None], around=True)
    button = ball(top.points[-1], 0.055, second if two else first, rows=8, columns=12)
    peak = _peak(seat, long, bend, second if two else first)
    return join([top, button, peak]), seat, 0.04


def _peak(seat: Crown, long: float, bend: float, colour: np.ndarray) -> Mesh:
    """The peak: a stiff sheet with two faces from the front of the rim, bent down at the sides."""
    azimuth = np.linspace(-1.05, 1.05, 61)
    edge = _sheet(seat, np.zeros(1), 0.065, azimuth)[0]
    part = azimuth / azimuth[-1]
    length = long * np.sqrt(1 - part**4)
    left, up, forward = seat.axes
    slope = 0.12 + 0.3 * bend
    along = np.cos(slope) * forward - np.sin(slope) * up
    out = np.linspace(0, 1, 16)[:, None]
    side = (edge - seat.origin) @ left
    drop = bend * (side / 0.6) ** 2 * (0.25 + out)
    upper = edge + out[..., None] * length[:, None] * along - (drop - bend * 0.05 + 0.06 * out**2)[..., None] * up
    lower = upper - 0.02 * up
    stitch = 1 - 0.10 * (np.abs((out * 5) % 1 - 0.5) < 0.12)
    faces = [grid(upper, colour * stitch[..., None] * np.ones((16, 61, 1))), grid(lower, colour * 0.6)]
    rim = np.stack([upper[-1], lower[-1]])
    return join([*faces, grid(rim, colour * 0.8)])
