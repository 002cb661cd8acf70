"""Draws accessories into the picture of a head: hidden where the head is nearer, and lit by the same lamps."""

import numpy as np

from s2f_lib.people.jit import jit
from s2f_lib.people.paint import AMBIENT, FILL, FILL_DIR, KEY, KEY_DIR
from s2f_lib.people.shading import highlight, light_surface, mix, shadow, sight, unit

BIAS = 0.07  # decimetres: cloth this near to the surface that the lamp sees is lit


@jit
def shade_solids(
    triangle_id, bary, near, depth, image, triangles, normals, colours, gloss, light, frame, shadow_map, camera
):
    """Colour the pixels in which a thing is nearer than what is there; `depth` and `image` are brought up to date.

    triangle_id, bary and near come from `raster.draw_triangles` on the accessories alone; normals and colours are (N,
    3), gloss (N,); light, frame, shadow_map and camera are as in `shading.shade`.
    """
    rows, columns = depth.shape
    colour, normal = np.zeros(3, np.float32), np.zeros(3, np.float32)
    for y in range(rows):
        for x in range(columns):
            k = triangle_id[y, x]
            if k < 0 or near[y, x] >= depth[y, x]:
                continue
            depth[y, x] = near[y, x]
            px, py, pz, vx, vy, vz = sight(x, y, near[y, x], rows, columns, camera)
            i, j, h = triangles[k, 0], triangles[k, 1], triangles[k, 2]
            b0, b1, b2 = bary[y, x, 0], bary[y, x, 1], bary[y, x, 2]
            mix(normal, normals, i, j, h, b0, b1, b2)
            mix(colour, colours, i, j, h, b0, b1, b2)
            unit(normal)
            if normal[0] * vx + normal[1] * vy + normal[2] * vz < 0:
                normal[0], normal[1], normal[2] = -normal[0], -normal[1], -normal[2]
            lit = shadow(px, py, pz, light, frame, shadow_map, BIAS)
            shine = b0 * gloss[i] + b1 * gloss[j] + b2 * gloss[h]
            light_surface(
                colour, image[y, x], normal[0], normal[1], normal[2], vx, vy, vz, light, lit, 1.0, shine, 5, 0.0
            )
            image[y, x, 3] = 1.0


@jit
def shade_lenses(triangle_id, bary, near, depth, image, triangles, normals, through, light, camera):
    """Let the picture behind a lens pass in the share `through` (N, 3), and add what the lens reflects."""
    rows, columns = depth.shape
    share, normal = np.zeros(3, np.float32), np.zeros(3, np.float32)
    for y in range(rows):
        for x in range(columns):
            k = triangle_id[y, x]
            if k < 0 or near[y, x] >= depth[y, x]:
                continue
            _, _, _, vx, vy, vz = sight(x, y, near[y, x], rows, columns, camera)
            i, j, h = triangles[k, 0], triangles[k, 1], triangles[k, 2]
            b0, b1, b2 = bary[y, x, 0], bary[y, x, 1], bary[y, x, 2]
            mix(normal, normals, i, j, h, b0, b1, b2)
            mix(share, through, i, j, h, b0, b1, b2)
            unit(normal)
            facing = normal[0] * vx + normal[1] * vy + normal[2] * vz
            if facing < 0:
                normal[0], normal[1], normal[2], facing = -normal[0], -normal[1], -normal[2], -facing
            fresnel = 0.04 + 0.96 * (1 - facing) ** 5
            sparkle = 0.05 * highlight(normal[0], normal[1], normal[2], vx, vy, vz, light, KEY_DIR, 8)
            soft = 0.05 * highlight(normal[0], normal[1], normal[2], vx, vy, vz, light, FILL_DIR, 5)
            upwards = 0.5 + 0.5 * (2 * facing * normal[1] - vy)  # of the reflected ray: a bright sky, a dark floor
            passing = (share[0] + share[1] + share[2]) / 3 * (1 - fresnel)
            cover = image[y, x, 3]
            for c in range(3):
                glint = sparkle * light[KEY, c] + soft * light[FILL, c] + fresnel * light[AMBIENT, c] * upwards
                image[y, x, c] = image[y, x, c] * share[c] * (1 - fresnel) + glint
            image[y, x, 3] = cover + (1 - cover) * (1 - passing)
