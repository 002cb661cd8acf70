"""How much sky a point of the head sees: of the bare head, and below each hair style."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from s2f_lib.people.raster import draw_depth, vertex_normals
from tools.make_assets.skin import Template

DIRECTIONS, VIEW = 220, 320  # directions on a sphere, pixels of each depth map
EXTENT, TOLERANCE = 6, 0.035  # decimetres


def bare_head(head: Template) -> np.ndarray:
    """Share of cosine-weighted directions in which nothing of the head is in the way, for each vertex."""
    vertices, triangles = head.vertices, head.solid
    normals = np.zeros_like(vertices)
    vertex_normals(vertices, triangles, normals)
    i = np.arange(DIRECTIONS) + 0.5
    polar, turn = np.arccos(1 - 2 * i / DIRECTIONS), np.pi * (1 + 5**0.5) * i
    directions = np.stack([np.cos(turn) * np.sin(polar), np.cos(polar), np.sin(turn) * np.sin(polar)], 1)
    seen, total = np.zeros(len(vertices)), np.zeros(len(vertices))
    for d in directions:
        a = np.cross(d, [0, 1, 0] if abs(d[1]) < 0.9 else [1, 0, 0])
        a /= np.linalg.norm(a)
        q = np.stack([vertices @ a, vertices @ np.cross(d, a), -(vertices @ d)], 1)
        q[:, :2] = (q[:, :2] + EXTENT / 2) / EXTENT * VIEW
        q = q.astype(np.float32)
        depth = np.full((VIEW, VIEW), 1e9, np.float32)
        draw_depth(q, triangles, depth)
        x, y = np.clip(q[:, 0].astype(int), 0, VIEW - 1), np.clip(q[:, 1].astype(int), 0, VIEW - 1)
        weight = np.clip(normals @ d, 0, 1)
        seen += weight * (q[:, 2] <= depth[y, x] + TOLERANCE)
        total += weight
    return seen / np.maximum(total, 1e-6)


def under_hair(head: Template, strands: np.ndarray) -> np.ndarray:
    """Openness below a hair style, 0 to 1: falls with the number of strand points near a vertex."""
    tree = cKDTree(strands[:, 1:].reshape(-1, 3))
    near = tree.query_ball_point(head.vertices + 0.10 * head.normals, 0.16, return_length=True)
    return np.exp(-near / 14.0)
