"""The 68 landmarks and the anatomical ones as vertices of the mesh, found on the average face.

Order of the 68-point scheme; points on the left of the picture are on the person's right, at negative x. Right-hand
points are searched, left-hand ones are their mirror images, so that no face is crooked by definition.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from s2f_lib.people.raster import draw_triangles
from tools.make_assets.face_hair import EYE_SCALE, EYE_VIEW, EyeView
from tools.make_assets.skin import Canvas, Template

PAIRS = [(j, 16 - j) for j in range(8)] + [(17 + j, 26 - j) for j in range(5)] + [(31, 35), (32, 34)]
PAIRS += [(36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)]
PAIRS += [(48, 54), (49, 53), (50, 52), (59, 55), (58, 56), (60, 64), (61, 63), (67, 65)]
MIDDLE = (8, 27, 28, 29, 30, 33, 51, 62, 66, 57)
JAW_VIEW, JAW_SCALE = 1400, 450.0  # pixels, pixels per decimetre
SLIT = -0.675  # height of the line between the lips


class Finder:
    """Searches among the skin's vertices of the template."""

    def __init__(self, head: Template):
        self.v, self.n, self.skin = head.vertices, head.normals, head.skin_vertices
        self.facing = self.skin[self.n[self.skin][:, 2] > 0.05]
        self.tree = cKDTree(self.v[self.skin])

    def nearest(self, point, behind=-9):
        """Vertex that faces forward, is in front of `behind`, and is nearest in the given coordinates (x, y[, z])."""
        c = self.facing[self.v[self.facing, 2] > behind]
        return c[np.argmin(np.linalg.norm(self.v[c][:, : len(point)] - np.array(point), axis=1))]

    def closest(self, position):
        return self.skin[np.argmin(np.linalg.norm(self.v[self.skin] - np.array(position), axis=1))]

    def mirror(self, vertex):
        return self.skin[self.tree.query(self.v[vertex] * np.array([-1, 1, 1]))[1]]

    def onto_midline(self, vertex):
        c = self.skin[np.abs(self.v[self.skin, 0]) < 2e-3]
        return c[np.argmin(np.linalg.norm(self.v[c] - self.v[vertex], axis=1))]

    def widest(self, candidates):
        """Vertex furthest to the person's right."""
        return candidates[np.argmax(-1 * self.v[candidates, 0])]

    def within(self, y, z, x=None):
        p = self.v[self.skin]
        inside = (p[:, 1] > y[0]) & (p[:, 1] < y[1]) & (p[:, 2] > z[0]) & (p[:, 2] < z[1])
        return self.skin[inside if x is None else inside & (np.abs(p[:, 0]) < x)]


def jaw(head: Template, find: Finder) -> list[int]:
    """Points 0 to 8: along rays from the middle of the face to where the surface turns away."""
    n, s, v = JAW_VIEW, JAW_SCALE, head.vertices
    screen = np.stack([n / 2 + s * v[:, 0], n / 2 - s * v[:, 1], 10 - v[:, 2]], 1).astype(np.float32)
    ids, bary = np.full((n, n), -1, np.int32), np.zeros((n, n, 3), np.float32)
    depth = np.full((n, n), 1e9, np.float32)
    draw_triangles(screen, head.solid, ids, bary, depth, False)
    normal = (head.normals[head.solid[np.maximum(ids, 0)]] * bary[..., None]).sum(2)
    found = []
    for angle in np.linspace(np.radians(6), np.radians(90), 9):
        last = None
        for r in np.arange(0.3, 1.3, 0.002):
            x, y = 0.0 - r * np.cos(angle), -0.15 - r * np.sin(angle)
            px, py = int(n / 2 + s * x), int(n / 2 - s * y)
            if not (0 <= px < n and 0 <= py < n) or ids[py, px] < 0 or (last and 10 - depth[py, px] < last[2] - 0.12):
                break
            if normal[py, px, 2] < 0.28 and r > 0.5 + 0.30 * np.sin(angle):
                break
            last = (x, y, 10 - depth[py, px])
        found.append(find.closest(last))
    return found


def eyes_and_nose(view: EyeView, find: Finder) -> dict[int, int]:
    """Brows, bridge and base of the nose, right eye."""
    marks = {}
    for k, (x, y) in enumerate([(0.505, 0.13), (0.41, 0.175), (0.31, 0.176), (0.205, 0.153), (0.11, 0.127)]):
        marks[17 + k] = find.nearest((-x, y), -0.4)
    for k, y in enumerate((0.04, -0.10, -0.23, -0.34)):
        marks[27 + k] = find.nearest((0, y), 0.0)
    for k, point in enumerate([(-0.14, -0.43), (-0.07, -0.455), (0, -0.47)]):
        marks[31 + k] = find.nearest(point, 0.0)
    upper, lower = view.rims[2]  # the person's right eye

    def lid(rim, fraction, beyond):
        x = rim[0, 0] + fraction * (rim[-1, 0] - rim[0, 0])
        px, py = rim[np.argmin(np.abs(rim[:, 0] - x))]
        z = 10 - view.depth[np.clip(py + beyond, 0, EYE_VIEW - 1), px]
        return find.closest([(px - EYE_VIEW / 2) / EYE_SCALE, (EYE_VIEW / 2 - py) / EYE_SCALE, z])

    marks |= {37: lid(upper, 0.33, -3), 38: lid(upper, 0.67, -3), 40: lid(lower, 0.67, 3), 41: lid(lower, 0.33, 3)}
    return marks | {36: find.nearest((-0.437, -0.03), -0.3), 39: find.nearest((-0.158, -0.045), -0.3)}


def mouth(canvas: Canvas, lips: np.ndarray, find: Finder) -> dict[int, int]:
    """Outline and inner line of the lips, from their mask."""
    red = canvas.points[lips > 0.5]
    half = np.abs(red[red[:, 2] > -0.05][:, 0]).max()
    corner = red[np.argmax(np.where(red[:, 2] > -0.1, np.abs(red[:, 0]), 0))]
    marks = {48: find.closest(corner * np.array([-np.sign(corner[0]), 1, 1]))}

    def outline(x, sign):
        q = red[np.abs(red[:, 0] - x) < 0.006]
        q = q[q[:, 2] > 0.0]
        return find.closest(q[np.argmax(sign * q[:, 1])])

    def inner(x, facing):
        near = (np.abs(find.v[find.skin, 0] - x) < 0.03) & (np.abs(find.v[find.skin, 1] - SLIT) < 0.05)
        c = find.skin[near & (find.v[find.skin, 2] > 0.1)]
        c = c[facing * find.n[c, 1] > 0.25]
        offset = 1.2 * np.abs(find.v[c, 1] - SLIT) + 0.8 * np.abs(find.v[c, 0] - x)
        return c[np.argmax(find.v[c, 2] - offset)]

    marks |= {49 + k: outline(f * half, 1) for k, f in enumerate((-0.62, -0.22, 0))}
    marks |= {59 - k: outline(f * half, -1) for k, f in enumerate((-0.62, -0.25, 0))}
    marks |= {60: marks[48], 61: inner(-0.35 * half, -1), 62: inner(0 * half, -1)}
    return marks | {66: inner(0 * half, 1), 67: inner(-0.35 * half, 1)}


def all_68(head: Template, canvas: Canvas, view: EyeView, lips: np.ndarray, find: Finder) -> np.ndarray:
    """Vertices of the 68 points, exactly mirrored, middle ones on the midline."""
    marks = dict(enumerate(jaw(head, find))) | eyes_and_nose(view, find) | mouth(canvas, lips, find)
    for right, left in PAIRS:
        marks[left] = find.mirror(marks[right])
    for k in MIDDLE:
        marks[k] = find.onto_midline(marks[k])
    return np.array([marks[k] for k in range(68)])


def anatomical(find: Finder, lm68: np.ndarray) -> dict[str, int]:
    """Names as in Farkas' anthropometry; ``_r`` and ``_l`` are the person's right and left."""
    p = find.v[find.skin]
    low = p[:, 1] + 9 * ((np.abs(p[:, 0]) > 0.03) | (p[:, 2] < 0.05))
    middle = {
        "trichion": find.nearest((0, 0.68)),
        "glabella": find.nearest((0, 0.12), 0),
        "nasion": find.nearest((0, 0.0), 0),
        "pronasale": find.skin[np.argmax(p[:, 2])],
        "gnathion": find.skin[np.argmin(low)],
    }
    marks = {name: find.onto_midline(vertex) for name, vertex in middle.items() if name != "gnathion"}
    marks |= {"subnasale": lm68[33], "gnathion": find.onto_midline(middle["gnathion"])}
    ear = find.skin[(np.abs(p[:, 0]) > 0.6) & (np.abs(p[:, 1] + 0.02) < 0.12) & (p[:, 2] < -0.55) & (p[:, 2] > -0.85)]
    right = {
        "tragion": ear[np.argmin(np.linalg.norm(find.v[ear] - np.array([-0.68, -0.05, -0.66]), axis=1))],
        "zygion": find.widest(find.within((-0.25, -0.05), (-0.5, -0.3))),
        "gonion": find.widest(find.within((-0.78, -0.68), (-0.6, -0.2))),
        "alare": find.widest(find.within((-0.45, -0.33), (0.1, 9), x=0.19)),
    }
    for name, vertex in right.items():
        marks |= {f"{name}_r": vertex, f"{name}_l": find.mirror(vertex)}
    return marks
