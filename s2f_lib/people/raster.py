"""Triangles and hair strands to pixels: small z-buffer kernels, compiled by numba.

No graphics library and no display is needed, so pictures are the same on a laptop, on Colab and in CI.
Screen coordinates are pixels with y down; depth grows away from the camera.
"""

import numpy as np

from s2f_lib.people.jit import jit


@jit
def _row_span(a0, a1, a2, c0, c1, c2, first, last):
    """Columns of one pixel row that a triangle covers; barycentrics are linear along the row."""
    lo, hi = first + 0.5, last + 0.5
    for slope, start in ((a0, c0), (a1, c1), (a2, c2)):
        if slope > 1e-12:
            lo = max(lo, -start / slope)
        elif slope < -1e-12:
            hi = min(hi, -start / slope)
        elif start < 0.0:
            return 1, 0
    if hi < lo:
        return 1, 0
    return int(np.ceil(lo - 0.5)), int(np.floor(hi - 0.5))


@jit
def draw_triangles(points, triangles, triangle_id, bary, depth, cull, flat=False):
    """Fill the buffers with the nearest triangle of each pixel and its perspective-correct barycentrics.

    Points (N, 3) are x and y in pixels, and z, the distance from the camera (> 0); triangle_id (H, W), bary (H, W, 3)
    and depth (H, W), which starts at a large number, are written. With `cull` triangles that face away are skipped;
    `flat` fills `depth` alone, without perspective (a shadow map, where z is the distance along the light).
    """
    height, width = depth.shape
    for k in range(triangles.shape[0]):
        a, b, c = triangles[k, 0], triangles[k, 1], triangles[k, 2]
        x0, y0, z0 = points[a, 0], points[a, 1], points[a, 2]
        x1, y1, z1 = points[b, 0], points[b, 1], points[b, 2]
        x2, y2, z2 = points[c, 0], points[c, 1], points[c, 2]
        area = (x1 - x0) * (y2 - y0) - (y1 - y0) * (x2 - x0)
        if area == 0.0 or (cull and area > 0.0):
            continue
        inv = 1.0 / area
        first = max(0, int(np.floor(min(x0, x1, x2))))
        last = min(width - 1, int(np.ceil(max(x0, x1, x2))))
        top = max(0, int(np.floor(min(y0, y1, y2))))
        bottom = min(height - 1, int(np.ceil(max(y0, y1, y2))))
        a0 = -(y2 - y1) * inv
        a1 = -(y0 - y2) * inv
        a2 = -a0 - a1
        for y in range(top, bottom + 1):
            py = y + 0.5
            c0 = (x1 * (y2 - py) - (y1 - py) * x2) * inv
            c1 = (x2 * (y0 - py) - (y2 - py) * x0) * inv
            lo, hi = _row_span(a0, a1, a2, c0, c1, 1.0 - c0 - c1, first, last)
            for x in range(lo, hi + 1):
                w0 = a0 * (x + 0.5) + c0
                w1 = a1 * (x + 0.5) + c1
                if flat:
                    depth[y, x] = min(depth[y, x], w0 * z0 + w1 * z1 + (1.0 - w0 - w1) * z2)
                    continue
                i0, i1, i2 = w0 / z0, w1 / z1, (1.0 - w0 - w1) / z2
                z = 1.0 / (i0 + i1 + i2)
                if z < depth[y, x]:
                    depth[y, x] = z
                    triangle_id[y, x] = k
                    bary[y, x, 0] = i0 * z
                    bary[y, x, 1] = i1 * z
                    bary[y, x, 2] = i2 * z


NO_PIXELS = np.empty((0, 0), np.int32), np.empty((0, 0, 3), np.float32)


def draw_depth(points, triangles, depth):
    """Orthographic depth only (a shadow map), see `draw_triangles`."""
    draw_triangles(points, triangles, *NO_PIXELS, depth, False, True)


@jit
def vertex_normals(points, triangles, out):
    """Area-weighted unit normals of every vertex, written to `out` (N, 3)."""
    out[:] = 0
    for k in range(triangles.shape[0]):
        a, b, c = triangles[k, 0], triangles[k, 1], triangles[k, 2]
        ux, uy, uz = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
        wx, wy, wz = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1], points[c, 2] - points[a, 2]
        nx, ny, nz = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
        for i in (a, b, c):
            out[i, 0] += nx
            out[i, 1] += ny
            out[i, 2] += nz
    for i in range(out.shape[0]):
        norm = np.sqrt(out[i, 0] ** 2 + out[i, 1] ** 2 + out[i, 2] ** 2) + 1e-12
        out[i, 0] /= norm
        out[i, 1] /= norm
        out[i, 2] /= norm


@jit
def place_strands(strands, index, weight, shift, rotation, translation, pivot, points, tangents, start):
    """Move hair strands with the head (three bound vertices each) into the camera frame.

    Writes rows `start`... of `points` and `tangents` and returns the next free row.
    """
    q = start
    moved = np.zeros(3, np.float32)
    steps = strands.shape[1]
    for s in range(strands.shape[0]):
        for k in range(steps):
            for c in range(3):
                moved[c] = strands[s, k, c] - pivot[c]
                for j in range(3):
                    moved[c] += weight[s, k, j] * shift[index[s, k, j], c]
            for c in range(3):
                points[q, c] = (
                    rotation[c, 0] * moved[0] + rotation[c, 1] * moved[1] + rotation[c, 2] * moved[2] + translation[c]
                )
            q += 1
        base = q - steps
        for k in range(steps):
            before, after = base + max(0, k - 1), base + min(steps - 1, k + 1)
            x = points[after, 0] - points[before, 0]
            y = points[after, 1] - points[before, 1]
            z = points[after, 2] - points[before, 2]
            norm = np.sqrt(x * x + y * y + z * z) + 1e-9
            tangents[base + k, 0] = x / norm
            tangents[base + k, 1] = y / norm
            tangents[base + k, 2] = z / norm
    return q


@jit
def draw_strands(
    screen, start, n_strands, steps, root_width, tip_width, scale, triangle_id, bary, depth, first_id, stride, shadow
):
    """Draw strands as thick lines; `screen` rows are (x px, y px, depth).

    The width in pixels is scale * width / depth for a picture and scale * width for a shadow map. Strands
    thinner than a pixel are drawn one pixel wide and a matching share of them is left out.
    """
    height, width = depth.shape
    for s in range(0, n_strands, stride):
        for k in range(steps - 1):
            i = start + s * steps + k
            x0, y0, z0 = screen[i, 0], screen[i, 1], screen[i, 2]
            x1, y1, z1 = screen[i + 1, 0], screen[i + 1, 1], screen[i + 1, 2]
            wide = root_width + (tip_width - root_width) * (k + 0.5) / (steps - 1.0)
            half = 0.5 * scale * wide / (1.0 if shadow else 0.5 * (z0 + z1))
            if half < 0.5 and not shadow and ((s * 2654435761) & 0xFFFF) / 65536.0 > 2 * half:
                continue
            dx, dy = x1 - x0, y1 - y0
            length = np.sqrt(dx * dx + dy * dy) + 1e-6
            segment = first_id + s * (steps - 1) + k
            steep = abs(dy) >= abs(dx)
            if not steep:  # the same with columns for rows
                x0, y0, y1, dx, dy = y0, x0, x1, dy, dx
            rows, columns = (height, width) if steep else (width, height)
            h = max(half * length / (abs(dy) + 1e-6), 0.5)
            for row in range(max(0, int(np.ceil(min(y0, y1) - 0.5))), min(rows, int(np.floor(max(y0, y1) + 0.5)))):
                t = (row + 0.5 - y0) / dy
                centre, z = x0 + t * dx, z0 + t * (z1 - z0)
                left, right = max(0, int(np.ceil(centre - h - 0.5))), min(columns, int(np.floor(centre + h + 0.5)))
                for column in range(left, right):
                    y, x = (row, column) if steep else (column, row)
                    if z < depth[y, x]:
                        depth[y, x] = z
                        if not shadow:
                            triangle_id[y, x] = segment
                            bary[y, x, 0] = t
