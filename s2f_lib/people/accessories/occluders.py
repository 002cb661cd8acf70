"""What hides a part of a face: a cloth mask, a scarf, a microphone."""

import numpy as np

from s2f_lib.people.accessories.hats import CLOTH_SRGB
from s2f_lib.people.accessories.mesh import Mesh, ball, grid, join, shell, smoothed, tube
from s2f_lib.people.head import head_model
from s2f_lib.people.look import LOOKS, linear_rgb

MASK_SRGB = LOOKS["mask_srgb"]
AXIS_Z = -0.55  # decimetres: masks and scarves are measured from an upright axis through the head


def _around(vertices: np.ndarray, azimuth: np.ndarray, height: np.ndarray, snug: float) -> np.ndarray:
    """Distance from the upright axis of cloth at these places (rows, columns), over skin and shoulders."""
    from scipy.ndimage import zoom

    pick = [np.round(np.linspace(0, n - 1, max(12, n // 4))).astype(int) for n in azimuth.shape]
    coarse = _felt(vertices, azimuth[np.ix_(*pick)], height[np.ix_(*pick)], snug)
    fine = zoom(coarse, [n / m for n, m in zip(azimuth.shape, coarse.shape, strict=True)], order=1)
    return smoothed(fine, 2.0, 2.0)


def _felt(vertices: np.ndarray, azimuth: np.ndarray, height: np.ndarray, snug: float) -> np.ndarray:
    skin = np.unique(head_model().triangles[head_model().part == 0])
    x, y, z = vertices[skin].T
    radius, angle = np.hypot(x, z - AXIS_Z), np.arctan2(x, z - AXIS_Z)
    near = (y > height.min() - 0.3) & (y < height.max() + 0.3) & (radius < 1.2)
    arc = 0.75  # decimetres for each radian, about
    found = np.stack([angle[near] * arc, y[near]], axis=1)
    found = np.concatenate([found + [turn * 2 * np.pi * arc, 0] for turn in (-1, 0, 1)])
    wanted = np.stack([azimuth.ravel() * arc, height.ravel()], axis=1)
    return shell(wanted, found, np.tile(radius[near], 3), snug).reshape(azimuth.shape)


def _place(azimuth: np.ndarray, height: np.ndarray, radius: np.ndarray) -> np.ndarray:
    return np.stack([radius * np.sin(azimuth), height, AXIS_Z + radius * np.cos(azimuth)], axis=-1)


def cloth_mask(vertices: np.ndarray, rng: np.random.Generator) -> Mesh:
    """A pleated mask over nose, mouth and chin, with loops around the ears."""
    model = head_model()
    colour = linear_rgb(MASK_SRGB[int(rng.integers(len(MASK_SRGB)))])
    nasion, tip = vertices[model.anatomical["nasion"]], vertices[model.anatomical["pronasale"]]
    chin = vertices[model.anatomical["gnathion"]]
    high = tip[1] + rng.uniform(0.30, 0.62) * (nasion[1] - tip[1])
    rows, columns = 44, 60
    wide = rng.uniform(1.02, 1.14)  # radians to each side
    side = np.linspace(-1, 1, columns)[None]
    down = np.linspace(0, 1, rows)[:, None]
    top = high - 0.10 * side**2 - 0.10 * np.abs(side)
    bottom = chin[1] - 0.05 + (high - chin[1]) * 0.34 * np.abs(side) ** 2.2
    height = top + (bottom - top) * down
    azimuth = np.broadcast_to(side * wide, height.shape)
    radius = _around(vertices, azimuth, height, 1.1) + 0.035
    pleat = ((down * 4.2) % 1.0) * (down > 0.12) * (down < 0.84)
    middle = (1 - np.abs(side) ** 3).clip(0)
    radius = radius + 0.030 * (1 - pleat) * middle * (down > 0.12) * (down < 0.84)
    radius = radius - 1.6 * np.clip(down - 0.93, 0, 1)  # the lower edge goes under the chin
    fold = 1 - 0.30 * np.exp(-((np.minimum(pleat, 1 - pleat) / 0.10) ** 2)) * middle * (down > 0.1) * (down < 0.86)
    seam = 1 - 0.16 * ((np.abs(down - 0.05) < 0.012) | (np.abs(down - 0.95) < 0.012) | (np.abs(side) > 0.965))
    sheet = _place(azimuth, height, radius)
    parts = [grid(sheet, colour * (fold * seam)[..., None])]
    for edge, name in ((-1, "tragion_l"), (0, "tragion_r")):
        ear = vertices[model.anatomical[name]]
        out = np.array([np.sign(ear[0]), 0, 0])
        behind = ear + 0.05 * out + [0, 0.02, -0.20]
        knots = [sheet[2, edge], ear + 0.05 * out + [0, 0.16, 0.02], behind, ear + 0.03 * out + [0, -0.20, -0.05]]
        knots = np.array([*knots, sheet[-4, edge]])
        at = np.linspace(0, 4, 21)
        line = np.stack([np.interp(at, np.arange(5), knots[:, c]) for c in range(3)], axis=1)
        parts.append(tube(line, 0.012, colour * 0.9 + 0.04, 0.05))
    return join(parts)


def scarf(vertices: np.ndarray, rng: np.random.Generator) -> Mesh:
    """A scarf wound around the neck, up to the chin or over the mouth."""
    model = head_model()
    colours = np.array([linear_rgb(CLOTH_SRGB[i]) for i in rng.permutation(len(CLOTH_SRGB))[:2]])
    chin, lip = vertices[model.anatomical["gnathion"]], vertices[model.lm68[51]]
    high = chin[1] + rng.uniform(0.30, 1.25) * (lip[1] - chin[1])
    rows, columns = 70, 160
    around = np.arange(columns)[None] * 2 * np.pi / columns
    down = np.linspace(0, 1, rows)[:, None]
    front = 0.5 + 0.5 * np.cos(around)
    phase, tilt = rng.uniform(0, 2 * np.pi, 4), rng.uniform(0.4, 1.0, 2) * rng.choice([-1, 1], 2)
    top = high - 0.16 * (1 - front) + 0.05 * np.sin(around + phase[0]) + 0.02 * np.sin(3 * around + phase[1])
    height = top + (-1.98 - top) * down
    azimuth = np.broadcast_to((around + np.pi) % (2 * np.pi) - np.pi, height.shape)
    radius = _around(vertices, azimuth, height, 0.9)
    winding = down * 2.1 + 0.16 * tilt[0] * np.sin(around + phase[2])  # two turns and a bit, each a soft roll
    roll = np.abs(np.sin(np.pi * winding)) ** 0.6
    crease = np.sin(9 * down + 2.2 * tilt[1] * np.sin(around + phase[3])) ** 2
    edge = np.clip(down / 0.07, 0, 1)
    radius = radius + 0.07 + 0.16 * roll + 0.035 * crease - 0.10 * (1 - np.sqrt(edge))
    along = (around + 0.35 * down) * 9
    knit = 0.9 + 0.1 * np.sin(60 * down * 3.1) * np.sin(around * 60)
    kind = rng.random()
    stripe = np.zeros_like(along * down)
    if kind < 0.35:
        stripe = (np.sin(along) > 0.35).astype(float)
    elif kind < 0.6:
        stripe = 0.5 * (np.sin(along * 1.4) > 0) + 0.5 * (np.sin(down * 26) > 0)
    base = colours[0] * (1 - stripe[..., None]) + colours[1] * stripe[..., None]
    shade = (0.45 + 0.55 * roll) * (0.85 + 0.15 * crease) * knit
    return grid(_place(azimuth, height, radius), base * shade[..., None], around=True)


def microphone(mouth: np.ndarray, rng: np.random.Generator) -> Mesh:
    """A microphone before the mouth, from below; `mouth` and the mesh are in the frame of the camera."""
    size = rng.uniform(0.23, 0.28)
    foam = rng.random() < 0.45
    lean = np.array([rng.normal(0, 0.22), -1.0, rng.uniform(0.25, 0.6)])
    lean /= np.linalg.norm(lean)
    centre = mouth + [rng.normal(0, 0.10), -rng.uniform(0.10, 0.30), rng.uniform(0.42, 0.62)]
    rows, columns = 48, 96
    if foam:
        colour = linear_rgb(((28, 28, 30), (150, 30, 34), (40, 70, 130), (190, 150, 50))[int(rng.integers(4))])
        grain = rng.normal(0, 0.012, (rows, columns))
        head = ball(centre, size * 1.08, colour * (1 + 9 * grain[..., None]).clip(0.6, 1.4), 0.02, rows, columns, grain)
    else:
        up, turn = np.arange(rows)[:, None], np.arange(columns)[None]
        wire = np.maximum(up % 3 == 0, turn % 4 == 0).astype(float)
        ring = np.exp(-((np.linspace(-1, 1, rows)[:, None] / 0.07) ** 2)) * np.ones((1, columns))
        metal = linear_rgb((150, 150, 154)) * (0.12 + 0.88 * np.maximum(wire, ring))[..., None]
        head = ball(centre, size, metal, 0.9, rows, columns, 0.015 * wire + 0.05 * ring)
    body = linear_rgb((34, 34, 37) if rng.random() < 0.75 else (120, 120, 124))
    along = np.linspace(0.55 * size, 1.9, 30)
    taper = np.interp(along, [0.6 * size, 0.3, 0.45, 1.9], [size * 0.80, size * 0.78, size * 0.62, size * 0.46])
    handle = tube(centre + along[:, None] * lean, taper, body, 0.5, sides=24)
    return join([head, handle])
