"""Light on skin, eyes and hair: turns the z-buffer into linear RGB, pixel by pixel.

Light: one key with a soft shadow, one fill, an ambient term with three directions; skin gets a soft reddish terminator
instead of true subsurface scattering; strands are lit after Kajiya and Kay. What has which colour is in `paint`.
"""

import numpy as np

from s2f_lib.people import paint
from s2f_lib.people.jit import inline_jit, jit
from s2f_lib.people.paint import AMBIENT, FILL, FILL_DIR, KEY, KEY_DIR


@inline_jit
def shadow(px, py, pz, light, frame, shadow_map, bias):
    """Share of a 3 x 3 neighbourhood of the shadow map that sees the key light."""
    n = shadow_map.shape[0]
    sx = int((px * frame[0, 0] + py * frame[0, 1] + pz * frame[0, 2] - frame[2, 0]) * frame[2, 2])
    sy = int((px * frame[1, 0] + py * frame[1, 1] + pz * frame[1, 2] - frame[2, 1]) * frame[2, 2])
    depth = -(px * light[KEY_DIR, 0] + py * light[KEY_DIR, 1] + pz * light[KEY_DIR, 2]) - bias
    lit = 0.0
    for dy in range(-1, 2):
        for dx in range(-1, 2):
            y, x = sy + dy, sx + dx
            if y < 0 or x < 0 or y >= n or x >= n or shadow_map[y, x] > depth:
                lit += 1.0
    return lit / 9


@inline_jit
def highlight(nx, ny, nz, vx, vy, vz, light, row, shine):
    """Blinn-Phong highlight with exponent 2**shine (repeated squares are faster than a power)."""
    hx, hy, hz = light[row, 0] + vx, light[row, 1] + vy, light[row, 2] + vz
    norm = np.sqrt(hx * hx + hy * hy + hz * hz) + 1e-9
    value = max(0.0, (nx * hx + ny * hy + nz * hz) / norm)
    for _ in range(shine):
        value *= value
    return value * (2**shine + 8) / 60.0


@inline_jit
def light_surface(colour, out, nx, ny, nz, vx, vy, vz, light, lit, ao, gloss, shine, soft):
    """Diffuse and glossy light on a surface of the given colour; writes RGB to `out`."""
    d = nx * light[KEY_DIR, 0] + ny * light[KEY_DIR, 1] + nz * light[KEY_DIR, 2]
    f = nx * light[FILL_DIR, 0] + ny * light[FILL_DIR, 1] + nz * light[FILL_DIR, 2]
    fill = max(0.0, (f + 0.2) / 1.2)
    open_sky = 0.25 + 0.75 * ao
    key_gloss = 0.0
    fill_gloss = 0.0
    if gloss > 0:
        fresnel = 0.35 + 0.65 * (1 - max(0.0, nx * vx + ny * vy + nz * vz)) ** 3
        key_gloss = gloss * fresnel * 0.5 * max(0.0, min(1.0, d * 4)) * lit
        key_gloss *= highlight(nx, ny, nz, vx, vy, vz, light, KEY_DIR, shine)
        fill_gloss = gloss * fresnel * 0.35 * open_sky
        fill_gloss *= highlight(nx, ny, nz, vx, vy, vz, light, FILL_DIR, shine)
    for c in range(3):
        wrap = (0.28 if c == 0 else (0.13 if c == 1 else 0.09)) * soft
        direct = max(0.0, (d + wrap) / (1 + wrap)) * (lit + ((1 - lit) * 0.03 * soft if c == 0 else 0.0))
        sky = light[AMBIENT, c] + light[AMBIENT + 1, c] * nx + light[AMBIENT + 2, c] * ny + light[AMBIENT + 3, c] * nz
        occlusion = open_sky * (1 + (1 - open_sky) * (0.21 if c == 0 else (0.0 if c == 1 else -0.05)))
        diffuse = max(sky, 0.0) * occlusion + light[KEY, c] * direct + light[FILL, c] * fill * open_sky
        out[c] = colour[c] * diffuse + key_gloss * light[KEY, c] + fill_gloss * light[FILL, c]


@inline_jit
def _light_strand(out, tangent, vx, vy, vz, material, strand, along, colours, grey, light, lit):
    """Kajiya-Kay light on a hair, brow, beard or lash strand; writes RGB to `out`."""
    jitter = 0.72 + 0.56 * paint.hash_unit(strand * 7 + 13)
    depth = 1.0
    gloss = 1.0
    if material == paint.HAIR_M:
        row = paint.HAIR_C
        depth = 0.42 + 0.58 * paint.smooth_step(0.0, 0.55, along)
        is_grey = paint.hash_unit(strand * 3 + 5) < grey
    elif material == paint.BEARD_M:
        row = paint.BEARD_C
        depth = 0.8
        is_grey = paint.hash_unit(strand * 3 + 5) < grey * 1.1
    else:
        row = paint.BROW_C
        is_grey = False
        gloss = 0.4 if material == paint.BROW_M else 0.0
    tl = tangent[0] * light[KEY_DIR, 0] + tangent[1] * light[KEY_DIR, 1] + tangent[2] * light[KEY_DIR, 2]
    tf = tangent[0] * light[FILL_DIR, 0] + tangent[1] * light[FILL_DIR, 1] + tangent[2] * light[FILL_DIR, 2]
    tv = tangent[0] * vx + tangent[1] * vy + tangent[2] * vz
    sin_l, sin_v = np.sqrt(max(0.0, 1 - tl * tl)), np.sqrt(max(0.0, 1 - tv * tv))
    white_gloss = max(0.0, sin_l * sin_v - tl * tv) ** 40 * 0.16 * gloss
    tinted_gloss = max(0.0, sin_l * sin_v - (tl + 0.12) * tv) ** 14 * 0.35 * gloss
    fill = np.sqrt(max(0.0, 1 - tf * tf)) * 0.7
    for c in range(3):
        base = colours[row, c]
        if material == paint.LASH_M:
            base = 0.010 - 0.0015 * c
            jitter = 1.0
        elif is_grey:
            base = 0.55 * base + 0.14 - 0.003 * c if material == paint.HAIR_M else 0.50 - 0.01 * c
        base *= jitter
        sky = light[AMBIENT, c] + light[AMBIENT + 2, c] * 0.4
        diffuse = sky * 0.9 + light[FILL, c] * fill + light[KEY, c] * sin_l * 0.75 * lit
        out[c] = depth * (base * diffuse + (white_gloss * 0.35 + tinted_gloss * base) * light[KEY, c] * lit)


@inline_jit
def _bump(normal, height_mm, depth, y, x, pixel_mm):
    """Tilt the normal by the slope of the wrinkle heights, where the surface is continuous."""
    if not (0 < x < depth.shape[1] - 1 and 0 < y < depth.shape[0] - 1):
        return
    if abs(depth[y, x + 1] - depth[y, x - 1]) < 0.06:
        normal[0] -= (height_mm[y, x + 1] - height_mm[y, x - 1]) * 0.5 / pixel_mm
    if abs(depth[y + 1, x] - depth[y - 1, x]) < 0.06:
        normal[1] += (height_mm[y + 1, x] - height_mm[y - 1, x]) * 0.5 / pixel_mm


@inline_jit
def sight(x, y, z, rows, columns, camera):
    """The point seen in a pixel at this depth, and the direction from it to the camera."""
    px, py = (x + 0.5 - columns * 0.5) * z / camera[1], (rows * 0.5 - y - 0.5) * z / camera[1]
    pz = camera[0] - z
    norm = np.sqrt(px * px + py * py + z * z)
    return px, py, pz, -px / norm, -py / norm, z / norm


@inline_jit
def mix(out, values, i, j, k, b0, b1, b2):
    """Interpolate three vertices' vectors with barycentric weights into `out` (3,)."""
    for c in range(3):
        out[c] = b0 * values[i, c] + b1 * values[j, c] + b2 * values[k, c]


@inline_jit
def unit(vector):
    norm = np.sqrt(vector[0] ** 2 + vector[1] ** 2 + vector[2] ** 2) + 1e-9
    vector[0], vector[1], vector[2] = vector[0] / norm, vector[1] / norm, vector[2] / norm


@inline_jit
def _skin_pixel(colour, normal, m, place, on_head, height_mm, depth, y, x, p, colours, moles, pixel_mm):
    """Colour and bumpy normal of skin or cloth; returns gloss, softness and a factor for the ambient occlusion."""
    if on_head:
        _bump(normal, height_mm, depth, y, x, pixel_mm)
    unit(normal)
    paint.paint_face(colour, m, colours, p, place[0], place[1] if place[2] > -0.35 else -1.0)
    paint.paint_moles(colour, moles, place[0], place[1], place[2])
    matte = paint.paint_hair(colour, m, colours, p)
    gloss = 0.30 * p[paint.OILINESS] * (0.35 + 1.1 * m[paint.TZONE] + 0.9 * m[paint.LIPS]) * (1 - matte)
    is_cloth, tone = paint.paint_cloth(colour, colours, p, place[0], place[1], place[2])
    return 0.03 if is_cloth else gloss, 0.0 if is_cloth else 1.0, tone


@inline_jit
def _eye_pixel(colour, normal, px, py, pz, centre, forward, radius, iris, ao):
    """Colour and normal of an eye ball; returns its ambient occlusion, darker under the upper lid."""
    dx, dy, dz = px - centre[0], py - centre[1], pz - centre[2]
    norm = np.sqrt(dx * dx + dy * dy + dz * dz)
    dx, dy, dz = dx / norm, dy / norm, dz / norm
    paint.paint_eye(colour, dx, dy, dz, forward, radius, iris)
    normal[0], normal[1], normal[2] = dx, dy, dz
    return (0.34 + 0.60 * ao) * (0.50 + 0.50 * paint.smooth_step(centre[1] + 0.075, centre[1] - 0.01, py))


@inline_jit
def _mouth_pixel(colour, is_tooth, ao):
    """Colour of teeth or tongue; returns gloss, exponent, softness and ambient occlusion."""
    if is_tooth:
        colour[0], colour[1], colour[2] = 0.66, 0.60, 0.50
        return 0.3, 6, 0.4, 0.25 + 0.75 * ao
    colour[0], colour[1], colour[2] = 0.40, 0.13, 0.12
    return 0.15, 5, 1.0, 0.3 + 0.7 * ao


@jit
def shade(
    triangle_id, bary, depth, height_mm, image, triangles, uv_triangles, part, normals, uv, occlusion, template,
    masks, box, strand_point, strand_along, strand_step, strand_id, strand_material, tangents, p, colours, moles,
    eye_centre, eye_forward, eye_radius, light, shadow_frame, shadow_map, camera,
):  # fmt: skip
    """Colour every covered pixel of `image` (H, W, 4), linear RGB and coverage; all floats are float32.

    triangle_id (H, W), bary (H, W, 3), depth and height_mm (H, W) come from `draw_triangles`, `draw_strands` and
    `bump_heights`; occlusion (N, 2) is that of the bare head and of the hair above it, for each vertex; p is in the
    order of `paint.PARAMS`, the rows of colours (7, 3) in that of SKIN_C ... BEARD_C, those of light (8, 3): KEY_DIR,
    KEY, FILL_DIR, FILL and four ambient ones; shadow_frame (3, 3) holds two axes of the shadow map, its origin (x, y)
    and scale; camera (3,) distance, focal length in pixels, size of a pixel at the head in millimetres.
    """
    rows, columns = depth.shape
    n_head = triangles.shape[0]
    m = np.zeros(paint.N_MASKS, np.float32)
    colour, normal, place = np.zeros(3, np.float32), np.zeros(3, np.float32), np.zeros(3, np.float32)
    for y in range(rows):
        for x in range(columns):
            k = triangle_id[y, x]
            if k < 0:
                continue
            b0, b1, b2 = bary[y, x, 0], bary[y, x, 1], bary[y, x, 2]
            px, py, pz, vx, vy, vz = sight(x, y, depth[y, x], rows, columns, camera)
            lit = shadow(px, py, pz, light, shadow_frame, shadow_map, 0.045 if k < n_head else 0.10)
            image[y, x, 3] = 1.0
            if k >= n_head:
                j = k - n_head
                q = strand_point[j]
                for c in range(3):
                    normal[c] = tangents[q, c] * (1 - b0) + tangents[q + 1, c] * b0
                _light_strand(
                    image[y, x], normal, vx, vy, vz, strand_material[j], strand_id[j],
                    strand_along[j] + b0 * strand_step[j], colours, p[paint.GREY_STRANDS], light, lit,
                )  # fmt: skip
                continue
            i0, i1, i2 = triangles[k, 0], triangles[k, 1], triangles[k, 2]
            mix(normal, normals, i0, i1, i2, b0, b1, b2)
            under_hair = b0 * occlusion[i0, 1] + b1 * occlusion[i1, 1] + b2 * occlusion[i2, 1]
            ao = (b0 * occlusion[i0, 0] + b1 * occlusion[i1, 0] + b2 * occlusion[i2, 0]) * under_hair
            lit *= 0.15 + 0.85 * under_hair
            if part[k] == 0:
                on_head = paint.read_masks(m, k, bary, y, x, uv, uv_triangles, masks, box)
                mix(place, template, i0, i1, i2, b0, b1, b2)
                gloss, soft, tone = _skin_pixel(
                    colour, normal, m, place, on_head, height_mm, depth, y, x, p, colours, moles, camera[2]
                )
                shine = 5
                ao *= tone
            elif part[k] <= 2:
                e = part[k] - 1
                ao = _eye_pixel(
                    colour, normal, px, py, pz, eye_centre[e], eye_forward[e], eye_radius, colours[paint.IRIS_C], ao
                )
                gloss, shine, soft = 0.8, 8, 0.5
            else:
                gloss, shine, soft, ao = _mouth_pixel(colour, part[k] <= 4, ao)
            light_surface(
                colour, image[y, x], normal[0], normal[1], normal[2], vx, vy, vz, light, lit, ao, gloss, shine, soft
            )
