"""What differs between two pictures of one person: pose, camera, light, expression, clothes, background, lens.

Numbers are drawn here, nothing is drawn on screen; `render` uses them.
"""

from dataclasses import dataclass, field

import numpy as np

from s2f_lib.people.look import LOOKS

MAX_YAW = 35.0  # degrees
MOODS = {"neutral": 0.34, "smile": 0.28, "bigsmile": 0.13, "talk": 0.14, "frown": 0.05, "surprise": 0.06}


@dataclass(frozen=True)
class Scene:
    """One picture's camera, light and expression; lengths in decimetres."""

    rotation: np.ndarray
    shift: tuple
    focal: float  # in picture widths
    distance: float
    light: np.ndarray  # rows of `paint.KEY_DIR` ... ambient
    gaze: tuple = (0.0, 0.0)  # radians in the head's frame
    look_at_camera: bool = True
    expression: dict = field(default_factory=dict)
    cloth: tuple = (0.22, 0.23, 0.25)
    collar: dict = field(default_factory=lambda: {"neck_y": -1.72, "neck_x": 0.12, "neck_z": 0.22})
    exposure: float = 1.0


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Rotation matrix of the head for angles in degrees; positive yaw turns the face to the right of the picture."""
    (cy, cp, cr), (sy, sp, sr) = (f(np.radians([yaw, pitch, roll])) for f in (np.cos, np.sin))
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def light_table(key_dir, key, fill_dir, fill, ambient) -> np.ndarray:
    """Rows of the light table of `shading.shade`, directions normalised."""
    unit = [np.asarray(d, float) / np.linalg.norm(d) for d in (key_dir, fill_dir)]
    return np.stack([unit[0], key, unit[1], fill, *ambient]).astype(np.float32)


def canonical_scene() -> Scene:
    """Frontal, neutral, even light, always the same camera: one millimetre is always the same number of pixels."""
    ambient = [(0.46, 0.46, 0.48), (0, 0, 0), (0.14, 0.14, 0.15), (0.05, 0.05, 0.05)]
    light = light_table((0.35, 0.55, 0.9), (0.92, 0.90, 0.87), (-0.7, 0.1, 0.8), (0.30, 0.30, 0.31), ambient)
    return Scene(rotation=np.eye(3), shift=(0, -0.22, 0), focal=3.55, distance=9.2, light=light)


def _expression(rng: np.random.Generator) -> dict[str, float]:
    mood = str(rng.choice(list(MOODS), p=list(MOODS.values())))
    s, u = rng.uniform(0.4, 1.0), rng.random(6)
    left, right = 0.85 + 0.25 * u[:2]
    blink = (0.1 + 0.35 * u[3]) if u[2] < 0.22 else 0.0
    units = {"eyeBlinkLeft": blink, "eyeBlinkRight": blink} if blink else {}
    pair = lambda name, t: {f"{name}Left": t, f"{name}Right": t}  # noqa: E731
    if mood == "smile":
        units |= {"mouthSmileLeft": 0.6 * s * left, "mouthSmileRight": 0.6 * s * right} | pair("cheekSquint", 0.3 * s)
    elif mood == "bigsmile":
        units |= {"mouthSmileLeft": 0.8 * s * left, "mouthSmileRight": 0.8 * s * right, "jawOpen": 0.16 * s}
        units |= pair("mouthUpperUp", 0.35 * s) | pair("cheekSquint", 0.5 * s) | pair("eyeSquint", 0.25 * s)
    elif mood == "talk":
        units |= {"jawOpen": 0.05 + 0.3 * u[4], "mouthFunnel": 0.35 * u[5]} | pair("mouthStretch", 0.2 * s)
    elif mood == "frown":
        units |= pair("browDown", 0.5 * s) | pair("mouthFrown", 0.3 * s) | pair("eyeSquint", 0.2)
    elif mood == "surprise":
        units |= {"browInnerUp": 0.6 * s, "jawOpen": 0.2 * s} | pair("browOuterUp", 0.5 * s) | pair("eyeWide", 0.35 * s)
    return units


def _light(rng: np.random.Generator) -> np.ndarray:
    azimuth, elevation = np.radians(rng.uniform(-75, 75)), np.radians(rng.uniform(-5, 60))
    key_dir = np.array([np.sin(azimuth), np.tan(elevation), np.cos(azimuth)])
    warm = rng.uniform(-1, 1)
    key = rng.uniform(0.5, 1.5) * np.array([1 + 0.10 * warm, 1, 1 - 0.13 * warm])
    sky = np.array([1 - 0.10 * warm, 1, 1 + 0.12 * warm])
    level = rng.uniform(0.28, 0.7)
    fill_dir = (-np.sign(azimuth) * rng.uniform(0.3, 1), rng.uniform(-0.3, 0.6), rng.uniform(0.4, 1))
    fill = rng.uniform(0.08, 0.5) * sky
    sides = rng.normal(0, 0.06, 3)
    ambient = [level * sky, sides, 0.18 * level * sky * rng.uniform(0, 1.5), 0.1 * level * sky]
    return light_table(key_dir, key, fill_dir, fill, ambient)


def wild_scene(rng: np.random.Generator) -> Scene:
    """A random picture-taking situation; the draws do not depend on the person or the size of the picture."""
    units = _expression(rng)
    yaw = float(np.clip(rng.normal(0, 17), -MAX_YAW, MAX_YAW))
    pitch, roll = float(np.clip(rng.normal(0, 7), -18, 18)), float(rng.normal(0, 6))
    distance, closeness = rng.uniform(5.5, 14), rng.uniform(0.9, 1.1)
    shift = (rng.normal(0, 0.06), -0.20 + rng.normal(0, 0.06), 0)
    light = _light(rng)
    look_at_camera, gaze = bool(rng.random() < 0.7), tuple(rng.normal(0, (0.16, 0.06)))
    cloth = tuple(rng.uniform(0.01, 0.5, 3) * rng.uniform(0.2, 1))
    collar = {"neck_y": rng.uniform(-2.0, -1.6), "neck_x": rng.uniform(-0.1, 0.9), "neck_z": 0.25}
    collar |= {"stripe_y": rng.choice([0, 0, 60.0, 90.0]), "stripe_x": rng.choice([0, 0, 60.0])}
    collar["stripe_depth"] = rng.choice([0, 0.35])
    return Scene(
        rotation=rotation(yaw, -pitch, roll), shift=shift, focal=0.385 * distance * closeness, distance=distance,
        light=light, gaze=gaze, look_at_camera=look_at_camera, expression=units, cloth=cloth, collar=collar,
        exposure=rng.uniform(0.75, 1.25),
    )  # fmt: skip


BACKGROUND_RGB = np.array(LOOKS["background_rgb"])
BACKGROUND_GRID = 48  # pixels; backgrounds are out of focus, so they are painted small and enlarged


def _background_colour(rng: np.random.Generator) -> np.ndarray:
    colour = BACKGROUND_RGB[rng.integers(len(BACKGROUND_RGB))]
    return np.clip(colour * rng.uniform(0.6, 1.15) + rng.normal(0, 0.04, 3), 0, 1)


def background(rng: np.random.Generator, size: int) -> np.ndarray:
    """A soft room or street: gradients and blurred boxes and discs, display RGB (size, size, 3) in [0, 1]."""
    n = BACKGROUND_GRID
    y, x = (np.mgrid[0:n, 0:n] + 0.5) / n
    angle = rng.uniform(0, 2 * np.pi)
    ramp = np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5)
    image = _background_colour(rng) + ramp[..., None] * (rng.normal(0, 0.18) + rng.normal(0, 0.04, 3))
    for _ in range(rng.integers(0, 10)):
        colour, soft, strength = _background_colour(rng), rng.uniform(0.015, 0.05), rng.uniform(0.3, 0.9)
        x0, y0, wide, high, radius = rng.uniform((-0.3, -0.3, 0.1, 0.1, 0.05), (1.0, 1.0, 1.0, 1.0, 0.33))
        if rng.random() < 0.7:
            inside = np.minimum(np.minimum(x - x0, x0 + wide - x), np.minimum(y - y0, y0 + high - y))
        else:
            inside = radius - np.hypot(x - x0, y - y0)
        cover = strength / (1 + np.exp(-np.clip(inside / soft * 1.7, -30, 30)))
        image = image * (1 - cover[..., None]) + colour * cover[..., None]
    image += _enlarge(rng.normal(0, 0.02, (8, 8, 1)), n)
    return np.clip(_enlarge(image, size), 0, 1)


def _enlarge(image: np.ndarray, size: int) -> np.ndarray:
    """Linear interpolation of a small square picture (n, n, C) to (size, size, C)."""
    n = len(image)
    position = np.clip((np.arange(size) + 0.5) * n / size - 0.5, 0, n - 1)
    low = np.minimum(position.astype(int), n - 2)
    t = (position - low)[:, None, None]
    rows = image[low] * (1 - t) + image[low + 1] * t
    return rows[:, low] * (1 - t[None, :, 0]) + rows[:, low + 1] * t[None, :, 0]
