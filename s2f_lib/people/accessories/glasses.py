"""Glasses and sunglasses: rims, bridge and temples fitted to the eyes, nose and ears of the person, and two lenses."""

import numpy as np

from s2f_lib.people.accessories.mesh import Mesh, grid, join, tube
from s2f_lib.people.head import head_model
from s2f_lib.people.look import LOOKS, linear_rgb

FRAME_SRGB, TINTS = LOOKS["frame_srgb"], LOOKS["tints"]
# exponent of the outline, half width and half height in distances of the eye from the middle, droop of the outer side
SHAPES = {
    "round": (2.0, 0.76, 0.72, 0.0), "panto": (2.4, 0.84, 0.70, 0.02), "square": (3.8, 0.88, 0.58, 0.0),
    "narrow": (3.2, 0.88, 0.44, 0.0), "pilot": (2.6, 0.92, 0.76, 0.10), "cat": (2.8, 0.88, 0.60, -0.10),
}  # fmt: skip
APART = 1.06  # of the middles of the lenses, in distances of the eyes


def _outline(shape: str, points: int = 48) -> np.ndarray:
    """The rim of the person's left lens (points, 2) around its middle, in distances of the eye."""
    power, wide, high, droop = SHAPES[shape]
    turn = np.arange(points) * 2 * np.pi / points
    c, s = np.cos(turn), np.sin(turn)
    x, y = np.sign(c) * np.abs(c) ** (2 / power) * wide, np.sign(s) * np.abs(s) ** (2 / power) * high
    return np.stack([x * (1 - 0.10 * (y < 0) * np.abs(y) / high), y - droop * x], axis=1)


def _depth(vertices: np.ndarray, eye: np.ndarray, wide: float, high: float):
    """Function (x, y) -> z of the surface on which the lenses lie, clear of brows, lashes and cheeks."""
    skin = np.unique(head_model().triangles[head_model().part == 0])
    x, y, z = vertices[skin].T
    near = (np.abs(np.abs(x) - eye[0]) < wide) & (np.abs(y - eye[1]) < high) & (z > 0)
    bend, lean = 0.22, 0.10
    front = (z + bend * x**2 - lean * y)[near].max() + 0.035

    def depth(px, py):
        return front - bend * px**2 + lean * py

    return depth


def _temple(hinge: np.ndarray, vertices: np.ndarray, sign: int) -> np.ndarray:
    """The line of one temple: out from the rim, back along the head, over the ear and down."""
    model = head_model()
    ear = vertices[model.anatomical["tragion_l" if sign > 0 else "tragion_r"]]
    corner = hinge + [sign * 0.045, 0, -0.045]
    over = np.array([ear[0] + sign * 0.01, ear[1] + 0.17, ear[2] + 0.02])
    straight = np.linspace(corner, over, 14)
    for point in straight[1:]:  # around the head where it is wider than a straight line
        here = (np.abs(vertices[:, 1] - point[1]) < 0.07) & (np.abs(vertices[:, 2] - point[2]) < 0.06)
        here &= vertices[:, 2] > ear[2] + 0.12  # in front of the ear
        widest = (sign * vertices[here, 0]).max(initial=0)
        point[0] = sign * max(sign * point[0], widest + 0.015)
    tail = over + np.array([[-0.03 * sign, -0.10, -0.14], [-0.06 * sign, -0.30, -0.22]])
    return np.concatenate([hinge[None], straight, tail])


def _pair(vertices: np.ndarray, rng: np.random.Generator, shapes, thick: tuple[float, float]):
    """Frame, and for each lens its rim (points, 3) with its middle."""
    model = head_model()
    shape = shapes[int(rng.integers(len(shapes)))]
    colour = linear_rgb(FRAME_SRGB[int(rng.integers(len(FRAME_SRGB)))])
    radius, size = rng.uniform(*thick), rng.uniform(0.96, 1.06)
    eye = np.mean([np.abs(vertices[e].mean(0)) * (1, 0, 0) for e in model.eyes], axis=0)
    eye[1] = 0.02 * size - 0.05
    outline = _outline(shape) * eye[0] * size
    middle = max(eye[0] * APART, 0.075 + radius - outline[:, 0].min())  # leaves room for the nose
    depth = _depth(vertices, eye, outline[:, 0].max(), outline[:, 1].max())
    rims, parts = [], []
    for sign in (1, -1):
        x, y = sign * (middle + outline[:, 0]), eye[1] + outline[:, 1]
        rims.append(np.stack([x, y, depth(x, y)], axis=1))
        parts.append(tube(rims[-1], radius * np.array([1.0, 0.8]) * np.ones((len(x), 1)), colour, 0.5, closed=True))
        hinge = rims[-1][np.argmax(outline[:, 0] + 0.5 * outline[:, 1])]
        line = _temple(hinge, vertices, sign)
        parts.append(tube(line, np.array([0.7, 1.25]) * max(radius, 0.014) * np.ones((len(line), 1)), colour, 0.5))
    inner = rims[0][np.argmin(outline[:, 0] - 0.25 * outline[:, 1])]
    t = np.linspace(-1, 1, 13)
    bridge = np.stack([t * inner[0], inner[1] + 0.05 * (1 - t**2) * eye[0] / 0.3, inner[2] + 0.03 * (1 - t**2)], axis=1)
    return join([*parts, tube(bridge, radius, colour, 0.5)]), rims


def _lenses(rims: list[np.ndarray], through: np.ndarray) -> Mesh:
    """Two lenses; `through` is the share of light that passes at each height, from the top (row 0) to the bottom."""
    parts = []
    for rim in rims:
        middle = rim.mean(axis=0)
        ring = np.linspace(0, 1, 6)[:, None, None]
        points = middle + ring * (rim - middle)
        points[..., 2] += 0.02 * (1 - ring[..., 0] ** 2)
        low, high = rim[:, 1].min(), rim[:, 1].max()
        share = np.clip((high - points[..., 1]) / (high - low), 0, 1)
        colour = through[0] * (1 - share[..., None]) + through[1] * share[..., None]
        parts.append(grid(points, colour, 1.0, around=True))
    return join(parts)


def clear(vertices: np.ndarray, rng: np.random.Generator) -> tuple[Mesh, Mesh]:
    """Glasses to read with: frame and clear lenses."""
    thick = (0.012, 0.018) if rng.random() < 0.5 else (0.024, 0.034)
    frame, rims = _pair(vertices, rng, ("round", "panto", "square", "narrow", "cat"), thick)
    return frame, _lenses(rims, np.full((2, 3), 0.94))


def dark(vertices: np.ndarray, rng: np.random.Generator) -> tuple[Mesh, Mesh]:
    """Sunglasses: frame and tinted lenses, often lighter towards the lower edge."""
    frame, rims = _pair(vertices, rng, ("round", "panto", "square", "pilot", "cat"), (0.016, 0.036))
    tint = np.array(TINTS[int(rng.integers(len(TINTS)))])
    lighter = 1 + 2.5 * float(rng.random() < 0.4) * rng.random()
    return frame, _lenses(rims, np.stack([tint, np.minimum(tint * lighter, 0.5)]))
