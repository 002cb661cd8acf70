"""Pictures of synthetic people: ``render_canonical`` and ``render_wild``, with true two-dimensional landmarks.

Every picture is computed from the person and the number of the picture alone, so it can be made again anywhere. It
shows nobody: the shape is a random point of a linear model, the skin is painted by formulas.
"""

import io
import numbers
from dataclasses import replace
from functools import cache, lru_cache, partial

import numpy as np

from s2f_lib.people import accessories, paint, shading, strands
from s2f_lib.people.head import PIVOT, WILD_STREAM, asset, coefficients, head_model, random_stream
from s2f_lib.people.look import Appearance, appearance, picture_appearance
from s2f_lib.people.quotas import whole
from s2f_lib.people.raster import draw_depth, draw_triangles, vertex_normals
from s2f_lib.people.scene import Scene, background, canonical_scene, wild_scene

SUPERSAMPLING = 2  # samples per pixel and axis
SIZES = (16, 1024)  # pixels, smallest and largest side
BACKDROP = np.array([0.52, 0.54, 0.56])
SHADOW_EXTENT = 3.8  # decimetres covered by the shadow map


@cache
def _skin_asset() -> tuple[np.ndarray, np.ndarray, dict]:
    """Mask stack (uint8 H, W, 27), its place in UV space, and ambient occlusion (N, 2) for each hair style."""
    arrays = asset("look")
    names = tuple(str(n) for n in arrays["mask_names"])
    if names != paint.MASKS:
        raise RuntimeError(f"the packaged look asset has masks {names}, the renderer wants {paint.MASKS}")
    bare = arrays["ao"].astype(np.float32) / 255
    under = {"none": np.ones_like(bare)}
    for name, hair in zip(arrays["hocc_n"], arrays["hocc"], strict=True):
        under[str(name)[2:]] = 0.12 + 0.88 * hair.astype(np.float32) / 255
    occlusion = {style: np.ascontiguousarray(np.stack([bare, u], 1)) for style, u in under.items()}
    return arrays["masks"], arrays["box"], occlusion


def _parameters(look: Appearance, scene: Scene) -> np.ndarray:
    """The parameter vector of the shading kernel, in the order of `paint.PARAMS`."""
    p = np.zeros(len(paint.PARAMS), np.float32)
    cover = {"none": 0.18, "buzz": 0.88}.get(look.hair_style, 0.95)
    values = look.params | scene.collar | {"scalp_cover": cover, "bald_top": float(look.hair_style == "horseshoe")}
    values["beard_zone"] = {"goatee": 2.0, "stache": 3.0}.get(look.beard, 1.0)
    for name, value in values.items():
        p[paint.P[name]] = value
    return p


@cache
def _buffers(size: int) -> tuple:
    """Triangle, barycentrics, depth, height and picture, reused between pictures of one size."""
    shapes = (size, size, 3), (size, size), (size, size), (size, size, 4)
    return np.empty((size, size), np.int32), *(np.empty(shape, np.float32) for shape in shapes)


def _project(points: np.ndarray, scene: Scene, size: int) -> np.ndarray:
    focal = scene.focal * size
    depth = scene.distance - points[:, 2]
    x, y = size / 2 + focal * points[:, 0] / depth, size / 2 - focal * points[:, 1] / depth
    return np.stack([x, y, depth], 1).astype(np.float32)


def _shadow_frame(key_dir: np.ndarray, size: int) -> np.ndarray:
    side = np.cross(key_dir, [0, 1, 0] if abs(key_dir[1]) < 0.9 else [1, 0, 0])
    side /= np.linalg.norm(side)
    corner = -SHADOW_EXTENT / 2
    return np.stack([side, np.cross(key_dir, side), [corner, corner, size / SHADOW_EXTENT]]).astype(np.float32)


def _from_light(points: np.ndarray, key_dir: np.ndarray, frame: np.ndarray) -> np.ndarray:
    x, y = (points @ frame[0] - frame[2, 0]) * frame[2, 2], (points @ frame[1] - frame[2, 1]) * frame[2, 2]
    return np.stack([x, y, -(points @ key_dir)], 1).astype(np.float32)


def _eyes(vertices: np.ndarray, scene: Scene, turn: np.ndarray, iris_size: float):
    """Centres and viewing directions of the eye balls in the camera frame, and the iris' angular radius."""
    model = head_model()
    centre = np.stack([vertices[e].mean(0) for e in model.eyes]).astype(np.float32)
    radius = np.linalg.norm(vertices[model.eyes[0]] - centre[0], axis=1).mean()
    centre = ((centre - PIVOT) @ turn.T + np.asarray(scene.shift, np.float32)).astype(np.float32)
    gaze = np.tile(np.asarray(scene.gaze, np.float32), (2, 1))
    if scene.look_at_camera:
        to_camera = (np.array([0, 0, scene.distance], np.float32) - centre) @ turn
        gaze = np.arctan2(to_camera[:, :2], to_camera[:, 2:])
    gaze = np.clip(gaze, (-0.36, -0.12), (0.36, 0.08))  # the lids do not follow the eye
    forward = np.concatenate([np.sin(gaze), np.ones((2, 1))], 1)
    forward = (forward / np.linalg.norm(forward, axis=1, keepdims=True)) @ turn.T
    return centre, forward.astype(np.float32), float(np.arcsin(0.0575 * iris_size / radius))


def _shadows(world, hair: strands.Strands, worn, key_dir, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Depth map seen from the key light, and its frame (see `shading.shade`)."""
    side = int(np.clip(size * 0.75, 128, 320))
    frame = _shadow_frame(key_dir, side)
    shadow_map = np.full((side, side), 1e9, np.float32)
    draw_depth(_from_light(world, key_dir, frame), head_model().triangles, shadow_map)
    triangle_id, bary, *_ = _buffers(size)
    hair.draw(_from_light(hair.points, key_dir, frame), frame[2, 2], triangle_id, bary, shadow_map, True)
    if worn is not None:
        worn.cast_shadow(lambda points: _from_light(points, key_dir, frame), shadow_map)
    return shadow_map, frame


def _draw(vertices, look: Appearance, scene: Scene, size: int, put_on=None) -> tuple[np.ndarray, np.ndarray]:
    """Linear RGB and coverage (size, size, 4), and all vertices in pixels (N, 3); `put_on` makes accessories."""
    model = head_model()
    masks, box, occlusion = _skin_asset()
    turn, shift = scene.rotation.astype(np.float32), np.asarray(scene.shift, np.float32)
    worn = put_on(vertices, turn, shift) if put_on else None
    beardless = worn is not None and worn.hides_beard
    hair = strands.place(replace(look, beard="none") if beardless else look, vertices, turn, shift)
    if worn is not None:
        hair = hair.under(worn)
    normals = np.zeros_like(vertices, dtype=np.float32)
    vertex_normals(vertices, model.triangles, normals)
    world = ((vertices - PIVOT) @ turn.T + shift).astype(np.float32)
    screen = _project(world, scene, size)
    triangle_id, bary, depth, height_mm, image = _buffers(size)
    triangle_id[:], depth[:], image[:] = -1, 1e9, 0
    draw_triangles(screen, model.triangles, triangle_id, bary, depth, True)
    hair.draw(_project(hair.points, scene, size), scene.focal * size, triangle_id, bary, depth)
    shadow_map, frame = _shadows(world, hair, worn, scene.light[paint.KEY_DIR], size)
    params = _parameters(look, scene)
    mesh = model.part, model.uv, model.uv_triangles
    paint.bump_heights(triangle_id, bary, len(model.triangles), *mesh, masks, box, params, height_mm)
    colours = [look.skin, look.hair, look.brow, look.iris, look.lipstick, scene.cloth, look.beard_colour]
    camera = [scene.distance, scene.focal * size, scene.distance / (scene.focal * size) * 100]
    shading.shade(
        triangle_id, bary, depth, height_mm, image, model.triangles, model.uv_triangles, model.part, normals @ turn.T,
        model.uv, occlusion[look.hair_style], model.template, masks, box, *hair.segments, hair.tangents, params,
        np.asarray(colours, np.float32), look.moles, *_eyes(vertices, scene, turn, look.iris_size), scene.light, frame,
        shadow_map, np.asarray(camera, np.float32),
    )  # fmt: skip
    if worn is not None:
        camera = np.asarray(camera, np.float32)
        worn.paint(lambda p: _project(p, scene, size), depth, image, scene.light, frame, shadow_map, camera)
    return image, screen


def _to_display(linear: np.ndarray) -> np.ndarray:
    """Soft shoulder and sRGB curve, result in [0, 1]."""
    x = np.maximum(linear, 0)
    x = x * (1 + x / 6.0) / (1 + x)
    return np.clip(np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 1e-8) ** (1 / 2.4) - 0.055), 0, 1)


def _picture(vertices, look, scene, size, put_on=None):
    """Display RGB times coverage, coverage, and landmarks in pixels of the final picture."""
    image, screen = _draw(vertices, look, scene, size * SUPERSAMPLING, put_on)
    small = 0.25 * (image[::2, ::2] + image[1::2, ::2] + image[::2, 1::2] + image[1::2, 1::2])
    cover = small[..., 3:]
    rgb = _to_display(small[..., :3] / np.maximum(cover, 1e-3) * scene.exposure) * cover
    return rgb, cover, screen[head_model().lm68, :2] / SUPERSAMPLING


def check_size(size: int) -> int:
    if not whole(size) or not SIZES[0] <= size <= SIZES[1]:
        raise ValueError(f"size is {size!r}; wanted a whole number of pixels from {SIZES[0]} to {SIZES[1]}")
    return int(size)


@lru_cache(maxsize=64)
def _identity(person):
    """Neutral vertices and usual look; kept for the last people, since pictures of one person come together."""
    return head_model().vertices(coefficients(person)), appearance(person)


def render_canonical(person, size: int = 128, return_landmarks: bool = False):
    """Frontal picture with a neutral face, even light and a fixed camera (sizes of faces stay comparable).

    Returns
    -------
    np.ndarray, shape (size, size, 3), uint8
        sRGB picture; sizes are 16 to 1024 pixels.
    np.ndarray, shape (68, 2), float32
        True landmarks, x and y in pixels, y down; only with `return_landmarks`.
    """
    size = check_size(size)
    vertices, look = _identity(person)
    rgb, cover, landmarks = _picture(vertices, look, canonical_scene(), size)
    image = (np.clip(rgb + (1 - cover) * BACKDROP, 0, 1) * 255).astype(np.uint8)
    return (image, landmarks) if return_landmarks else image


def render_wild(
    person, item: int, size: int = 128, return_landmarks: bool = False, restyle: float | None = None, wear=None
):
    """Picture number `item` of a person, as found on the web: any pose, light, expression, background, quality.

    Parameters
    ----------
    person : population.Person
    item : int
        Number of the picture, 0 or more; the same number gives the same picture.
    size : int, 16 to 1024
    return_landmarks : bool
    restyle : float, optional
        Chance, 0 to 1, of another hair style than the person's usual one; by default 0.1 for men, 0.2 for women.
    wear : str or sequence of str, optional
        Accessories on the head or before the face, by default none: one hat (``cap``, ``woollen_hat``), one pair of
        glasses (``glasses``, ``sunglasses``) and one occluder (``mask``, ``scarf``, ``microphone``), alone or together;
        or ``"any"``, which draws them for each picture (`accessories.SHARES`). The rest of the picture stays as it is.

    Returns
    -------
    np.ndarray, shape (size, size, 3), uint8
    np.ndarray, shape (68, 2), float32
        Only with `return_landmarks`; points hidden by the pose are where they would be seen through the head.

    Raises
    ------
    ValueError
        If `item`, `size` or `restyle` is impossible, or something to wear is unknown.
    """
    size = check_size(size)
    if restyle is not None and not (isinstance(restyle, numbers.Real) and 0 <= restyle <= 1):
        raise ValueError(f"restyle is {restyle!r}; wanted a chance from 0 to 1")
    if not whole(item) or item < 0:
        raise ValueError(f"item is {item!r}; wanted the number of a picture, 0 or more")
    vertices, usual = _identity(person)
    rng = random_stream(person, WILD_STREAM + int(item))
    scene = wild_scene(rng)
    look = picture_appearance(person, usual, rng, restyle)
    put_on = None
    if worn := accessories.of_picture(person, item, wear):
        put_on = partial(accessories.put_on, worn, person, int(item))
        look = replace(look, glasses=0.0) if set(worn) & set(accessories.GLASSES) else look
    rgb, cover, landmarks = _picture(head_model().express(vertices, scene.expression), look, scene, size, put_on)
    image = _lens(rgb + (1 - cover) * background(rng, size), rng)
    return (image, landmarks) if return_landmarks else image


def _lens(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur, sensor noise and JPEG, each in some of the pictures; display RGB in, uint8 out."""
    from PIL import Image
    from scipy.ndimage import gaussian_filter

    blurred, blur, noise, packed, quality = rng.random(5)
    if blurred < 0.4:
        sigma = (0.3 + 0.7 * blur) * len(picture) / 224
        picture = gaussian_filter(picture, (sigma, sigma, 0))
    grain = rng.standard_normal(picture.shape, dtype=np.float32)
    picture = np.clip(picture + (0.002 + 0.016 * noise) * grain, 0, 1)
    image = (picture * 255).astype(np.uint8)
    if packed < 0.5:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=int(45 + 47 * quality))
        image = np.asarray(Image.open(file))
    return image
