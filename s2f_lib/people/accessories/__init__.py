"""Hats, glasses and what hides a face, as an option of wild pictures: ``render_wild(person, 3, wear="cap")``.

Accessories are triangle meshes, laid on the head of the person in three dimensions: they turn with the head, hide and
are hidden, take the same light and cast shadows. Without the option nothing is drawn and no picture changes. How one
looks follows from the person, the number of the picture and its name; all pictures of a person have accessories of
their own, so that none tells who wears it.
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from s2f_lib.people.accessories import draw, glasses, hats, occluders
from s2f_lib.people.accessories.mesh import Mesh, join
from s2f_lib.people.head import PIVOT, WILD_STREAM, head_model
from s2f_lib.people.raster import draw_depth, draw_triangles

HATS = {"cap": hats.cap, "woollen_hat": hats.woollen_hat}
GLASSES = {"glasses": glasses.clear, "sunglasses": glasses.dark}
OCCLUDERS = {"mask": occluders.cloth_mask, "scarf": occluders.scarf, "microphone": occluders.microphone}
KINDS = (HATS, GLASSES, OCCLUDERS)
ACCESSORIES = tuple(name for kind in KINDS for name in kind)
ANY = "any"
SHARES = (0.30, 0.35, 0.20)  # of pictures with "any" that get a hat, glasses, something before the face
STREAM = 31  # fourth entry of the seed of the random numbers of accessories


def check(wear) -> tuple[str, ...]:
    """The names of a `wear` option in the order of `ACCESSORIES`; ``("any",)`` where the picture decides.

    Raises ValueError for an unknown accessory, or two that have one place on a head; the message says what there is.
    """
    if wear is None:
        return ()
    names = (wear,) if isinstance(wear, str) else tuple(wear) if isinstance(wear, Iterable) else (wear,)
    unknown = [name for name in names if not isinstance(name, str) or name not in (*ACCESSORIES, ANY)]
    if unknown:
        raise ValueError(f"unknown accessory {unknown[0]!r}; known: {', '.join(ACCESSORIES)}, or {ANY!r}")
    if ANY in names and len(set(names)) > 1:
        raise ValueError(f"wear is {', '.join(names)}; {ANY!r} stands alone")
    for kind in KINDS:
        if len(twice := [name for name in kind if name in names]) > 1:
            raise ValueError(f"{' and '.join(twice)} cannot be worn at once; take one of {', '.join(kind)}")
    return (ANY,) if ANY in names else tuple(name for name in ACCESSORIES if name in names)


def of_picture(person, item: int, wear) -> tuple[str, ...]:
    """The accessories in picture number `item` of a person; for ``"any"`` they are drawn by `SHARES`."""
    names = check(wear)
    if names != (ANY,):
        return names
    u = np.random.default_rng([person.seed, person.id, WILD_STREAM + int(item), STREAM]).random((len(KINDS), 2))
    drawn = [list(kind)[int(v * len(kind))] for kind, (chance, v), share in zip(KINDS, u, SHARES) if chance < share]
    return tuple(drawn)


@dataclass(frozen=True)
class Accessories:
    """Accessories on a head, in the frame of the camera."""

    solid: Mesh | None
    lenses: Mesh | None
    seat: hats.Crown | None  # under which the hair goes, in the frame of the head
    room: float  # decimetres between the skull and the hat, for the hair
    hides_beard: bool
    turn: np.ndarray
    shift: np.ndarray

    def tuck(self, points: np.ndarray) -> np.ndarray:
        """Hair (n, 3) in the frame of the camera, pressed under the hat if there is one."""
        if self.seat is None:
            return points
        at_home = (points - self.shift) @ self.turn + PIVOT
        return _to_camera(hats.tuck(at_home, self.seat, self.room), self.turn, self.shift)

    def cast_shadow(self, from_light, shadow_map: np.ndarray) -> None:
        """Add the accessories to the depth map of the key light; `from_light` turns points into its coordinates."""
        for part in (self.solid, self.lenses):
            if part is not None and (part is self.solid or part.colour.mean() < 0.5):
                draw_depth(from_light(part.points), part.triangles, shadow_map)

    def paint(self, project, depth, image, light, frame, shadow_map, camera) -> None:
        """Draw over a picture that is shaded already; `project` turns points into pixels and depth."""
        side = len(depth)
        if self.solid is not None:
            found = _nearest(project(self.solid.points), self.solid.triangles, side)
            draw.shade_solids(
                *found, depth, image, self.solid.triangles, self.solid.normals(), self.solid.colour, self.solid.gloss,
                light, frame, shadow_map, camera,
            )  # fmt: skip
        if self.lenses is not None:
            found = _nearest(project(self.lenses.points), self.lenses.triangles, side)
            normals = self.lenses.normals()
            draw.shade_lenses(*found, depth, image, self.lenses.triangles, normals, self.lenses.colour, light, camera)


def _nearest(screen: np.ndarray, triangles: np.ndarray, side: int) -> tuple:
    triangle_id, near = np.full((side, side), -1, np.int32), np.full((side, side), 1e9, np.float32)
    bary = np.empty((side, side, 3), np.float32)
    draw_triangles(screen, triangles, triangle_id, bary, near, False)
    return triangle_id, bary, near


def _to_camera(points: np.ndarray, turn: np.ndarray, shift: np.ndarray) -> np.ndarray:
    return ((points - PIVOT) @ turn.T + shift).astype(np.float32)


def put_on(names: tuple[str, ...], person, item: int, vertices, turn, shift) -> Accessories | None:
    """Make the accessories that `of_picture` named, for a head (N, 3) in its own frame with its way to the camera."""
    if not names:
        return None
    solid, lenses, seat, room = [], None, None, 0.0
    vertices = vertices.astype(float)
    for name in names:
        rng = np.random.default_rng([person.seed, person.id, WILD_STREAM + int(item), zlib.crc32(name.encode())])
        if name in HATS:
            made, seat, room = HATS[name](vertices, rng)
        elif name in GLASSES:
            made, lenses = GLASSES[name](vertices, rng)
            lenses = lenses.moved(_to_camera(lenses.points, turn, shift))
        elif name == "microphone":
            mouth = _to_camera(vertices[head_model().lm68[[62, 66]]].mean(axis=0), turn, shift)
            solid.append(OCCLUDERS[name](mouth, rng))
            continue
        else:
            made = OCCLUDERS[name](vertices, rng)
        solid.append(made.moved(_to_camera(made.points, turn, shift)))
    return Accessories(join(solid), lenses, seat, room, "mask" in names, turn, shift)
