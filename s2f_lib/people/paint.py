"""The colour of skin, hairline, eyes and clothes at one point of a head, before any light falls on it.

Skin is painted from a stack of masks (lips, brows, beard zones, wrinkle heights, pores ...) that were computed from the
geometry alone; no photograph is involved anywhere. The functions are compiled into the kernels of `shading`.
"""

import numpy as np

from s2f_lib.people.jit import inline_jit, jit

# Channels of the mask stack, in the order of the asset.
MASKS = tuple(
    (
        "lips inmouth nostril brow lidline lash lid socket red tzone stache beard goatee hair top "
        "w_fore w_crow w_naso w_mar w_eye w_cheek pore mott freckle spots stub liplines"
    ).split()
)
LIPS, INMOUTH, NOSTRIL, _, LIDLINE, LASH, LID, SOCKET, RED, TZONE, STACHE, BEARD, GOATEE, HAIR, TOP = range(15)
W_FORE, W_CHEEK, PORE, MOTTLE, FRECKLE, SPOTS, STUBBLE, LIPLINES = 15, 20, 21, 22, 23, 24, 25, 26
N_MASKS = 27

# Entries of the parameter vector; the first six are the wrinkle strengths in the order of the masks.
PARAMS = (
    "w_fore w_crow w_naso w_mar w_eye w_cheek pore redness circles freckles spots lip_makeup eye_makeup brow_density "
    "beard_zone beard_shadow receding scalp_cover bald_top oiliness grey_strands lip_natural "
    "brow_lift brow_arch brow_thickness neck_y neck_x neck_z stripe_y stripe_x stripe_depth"
).split()
P = {name: i for i, name in enumerate(PARAMS)}
PORE_P, REDNESS, CIRCLES, FRECKLES_P, SPOTS_P, LIP_MAKEUP, EYE_MAKEUP, BROW_DENSITY = range(6, 14)
BEARD_ZONE, BEARD_SHADOW, RECEDING, SCALP_COVER, BALD_TOP, OILINESS, GREY_STRANDS, LIP_NATURAL = range(14, 22)
BROW_LIFT, BROW_ARCH, BROW_THICKNESS, NECK_Y, NECK_X, NECK_Z, STRIPE_Y, STRIPE_X, STRIPE_DEPTH = range(22, 31)

# Rows of the colour table and of the light table.
SKIN_C, HAIR_C, BROW_C, IRIS_C, LIP_C, CLOTH_C, BEARD_C = range(7)
KEY_DIR, KEY, FILL_DIR, FILL, AMBIENT = range(5)  # ambient has four rows: constant, x, y, z
HAIR_M, BROW_M, BEARD_M, LASH_M = range(4)

# The brow curve of the template head: |x| and y in decimetres from the point between the eyes.
BROW_X = np.array([0.115, 0.20, 0.30, 0.39, 0.50], np.float32)
BROW_Y = np.array([0.148, 0.165, 0.178, 0.172, 0.125], np.float32)


@jit
def hash_unit(i):
    h = (i * 747796405 + 2891336453) & 0xFFFFFFFF
    h = (((h >> ((h >> 28) + 4)) ^ h) * 277803737) & 0xFFFFFFFF
    h = (h >> 22) ^ h
    return (h & 0xFFFF) / 65535.0


@jit
def smooth_step(a, b, t):
    t = (t - a) / (b - a)
    t = 0.0 if t < 0 else (1.0 if t > 1 else t)
    return t * t * (3 - 2 * t)


@inline_jit
def _fade(colour, red, green, blue, t):
    colour[0] = colour[0] * (1 - t) + red * t
    colour[1] = colour[1] * (1 - t) + green * t
    colour[2] = colour[2] * (1 - t) + blue * t


@inline_jit
def _dim(colour, red, green, blue, t):
    colour[0] *= 1 - red * t
    colour[1] *= 1 - green * t
    colour[2] *= 1 - blue * t


@inline_jit
def brow_cover(x, y, lift, arch, thickness):
    """How much of the brow's painted underlay covers a point of the template."""
    x = abs(x)
    if x < 0.06 or x > 0.58 or y < -0.02 or y > 0.34:
        return 0.0
    y -= lift + arch * np.exp(-(((x - 0.38) / 0.12) ** 2))
    best, along = 9.0, 0.0
    for i in range(4):
        ax, ay = BROW_X[i], BROW_Y[i]
        dx, dy = BROW_X[i + 1] - ax, BROW_Y[i + 1] - ay
        t = ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy)
        t = min(max(t, 0.0), 1.0)
        d = np.sqrt((x - ax - t * dx) ** 2 + (y - ay - t * dy) ** 2)
        if d < best:
            best, along = d, (i + t) / 4.0
    inner = 0.55 + 0.45 * smooth_step(0.0, 0.25, along)
    return smooth_step(0.050, 0.012, best / (1.0 - 0.45 * along) / thickness) * inner


@inline_jit
def paint_face(colour, m, colours, p, x, y):
    """Skin tone, blemishes, make-up and wrinkles at one point of the template; changes `colour`."""
    mottle = (m[MOTTLE] - 0.5) * 2
    colour[0] = colours[SKIN_C, 0] * (1 + 0.10 * mottle)
    colour[1] = colours[SKIN_C, 1] * (1 + 0.15 * mottle)
    colour[2] = colours[SKIN_C, 2] * (1 + 0.17 * mottle)
    _dim(colour, -0.10, 0.20, 0.18, m[RED] * p[REDNESS])
    _dim(colour, 0.30, 0.38, 0.30, m[SOCKET] * p[CIRCLES])
    _dim(colour, 0.30, 0.48, 0.58, m[FRECKLE] * p[FRECKLES_P])
    _dim(colour, 0.22, 0.34, 0.42, m[SPOTS] * p[SPOTS_P])
    wrinkle = 0.0
    for c in range(W_FORE, W_CHEEK + 1):
        wrinkle += max(0.0, m[c] * 2 - 1.02) * p[c - W_FORE]
    _dim(colour, 0.75, 1.0, 1.0, min(wrinkle * 0.34, 0.50))
    natural, makeup = p[LIP_NATURAL], p[LIP_MAKEUP]
    lip_r = colours[SKIN_C, 0] * (1 - 0.22 * natural) * (1 - makeup) + colours[LIP_C, 0] * makeup
    lip_g = colours[SKIN_C, 1] * (1 - 0.46 * natural) * (1 - makeup) + colours[LIP_C, 1] * makeup
    lip_b = colours[SKIN_C, 2] * (1 - 0.42 * natural) * (1 - makeup) + colours[LIP_C, 2] * makeup
    _fade(colour, lip_r, lip_g, lip_b, m[LIPS])
    _dim(colour, 1.0, 1.0, 1.0, m[LIDLINE] * 0.35)
    _fade(colour, 0.02, 0.013, 0.01, m[LASH] * (0.12 + 0.25 * min(p[LIP_NATURAL], 1.0) + 0.50 * p[EYE_MAKEUP]))
    _dim(colour, 0.55, 0.7, 0.6, m[LID] * p[EYE_MAKEUP] * 0.45)
    cover = brow_cover(x, y, p[BROW_LIFT], p[BROW_ARCH], p[BROW_THICKNESS]) * p[BROW_DENSITY]
    cover *= 0.85 + 0.3 * m[STUBBLE]
    _fade(colour, colours[BROW_C, 0], colours[BROW_C, 1], colours[BROW_C, 2], min(cover, 0.9))


@inline_jit
def paint_hair(colour, m, colours, p):
    """Beard shadow, scalp under the hair, inside of mouth and nostrils; changes `colour`, returns the scalp cover."""
    if p[BEARD_ZONE] < 1.5:
        zone = max(m[STACHE], m[BEARD])
    else:
        zone = m[STACHE] + (m[GOATEE] if p[BEARD_ZONE] < 2.5 or p[BEARD_ZONE] > 3.5 else 0.0)
    shadow = min(min(zone, 1.0) * p[BEARD_SHADOW] * (0.72 + 0.56 * m[STUBBLE]), 0.93)
    for c in range(3):
        stubble = min(colours[BEARD_C, c] * 0.8 + 0.012, colour[c] * 0.8)  # never lighter than the skin
        colour[c] = colour[c] * (1 - shadow) + stubble * shadow
    cover = 0.0
    if m[HAIR] > 0:
        degrees = (m[HAIR] - 0.5) * 60.0 - 10.0 * p[RECEDING] * (1 if m[TOP] > 0.02 else 0.25)
        cover = smooth_step(-1.0, 5.0, degrees) * p[SCALP_COVER] * (1 - 0.92 * m[TOP] * p[BALD_TOP])
    cover *= 0.92 + 0.16 * (m[STUBBLE] - 0.5)
    cover = min(max(cover, 0.0), 0.97)
    shaved = p[SCALP_COVER] < 0.5  # shaved hair never makes the scalp lighter
    for c in range(3):
        scalp = min(colours[HAIR_C, c] * 0.55, colour[c] * 0.7) if shaved else colours[HAIR_C, c] * 0.55
        colour[c] = colour[c] * (1 - cover) + scalp * cover
    _fade(colour, 0.16, 0.035, 0.03, m[INMOUTH])
    _dim(colour, 1.0, 1.0, 1.0, m[NOSTRIL] * 0.75)
    return max(m[NOSTRIL] * 0.75, cover * 0.6)


@inline_jit
def paint_moles(colour, moles, x, y, z):
    for i in range(moles.shape[0]):
        if moles[i, 2] > 0.0 and z > -0.7:
            d = np.sqrt((x - moles[i, 0]) ** 2 + (y - moles[i, 1]) ** 2)
            if d < moles[i, 2] * 1.4:
                t = smooth_step(moles[i, 2] * 1.4, moles[i, 2] * 0.7, d) * moles[i, 3]
                _dim(colour, 0.62, 0.74, 0.78, t)


@inline_jit
def paint_eye(colour, dx, dy, dz, forward, radius, iris):
    """Iris, pupil and white at direction d from the centre of the eye ball."""
    cosine = dx * forward[0] + dy * forward[1] + dz * forward[2]
    angle = np.arccos(min(1.0, cosine)) / radius
    white = smooth_step(0.93, 1.05, angle)
    turn = np.arctan2(dy - forward[1] * cosine, dx - forward[0] * cosine)
    fibre = 0.80 + 0.25 * np.sin(turn * 23) * np.sin(turn * 7 + 1) + 0.15 * np.sin(turn * 51)
    weight = fibre * (0.65 + 0.55 * smooth_step(0.35, 0.75, angle)) * (1 - 0.55 * smooth_step(0.80, 1.0, angle)) * 1.35
    weight *= 1 - smooth_step(0.42, 0.34, angle)
    vein = 0.04 * smooth_step(1.0, 1.9, angle)
    colour[0] = iris[0] * weight * (1 - white) + 0.50 * white
    colour[1] = iris[1] * weight * (1 - white) + (0.45 - vein) * white
    colour[2] = iris[2] * weight * (1 - white) + (0.42 - vein) * white


@inline_jit
def paint_cloth(colour, colours, p, x, y, z):
    """Collar and shirt below a line around the neck; returns how much of the pixel is cloth and its shading."""
    line = p[NECK_Y] + p[NECK_X] * abs(x) + p[NECK_Z] * max(0.0, -z - 0.35)
    if smooth_step(line + 0.02, line - 0.02, y) > 0.5:
        stripe = 0.5 + 0.5 * np.sin(y * p[STRIPE_Y] + x * p[STRIPE_X])
        tone = 1.0 - (p[STRIPE_DEPTH] if stripe > 0.5 else 0.0)
        for c in range(3):
            colour[c] = colours[CLOTH_C, c] * tone
        return True, 1.0
    return False, 0.75 if y < line + 0.06 else 1.0


@inline_jit
def _mask_position(u, v, box, height, width):
    x = (u - box[0]) / (box[1] - box[0]) * width - 0.5
    y = (box[3] - v) / (box[3] - box[2]) * height - 0.5
    xi, yi = min(max(int(x), 0), width - 2), min(max(int(y), 0), height - 2)
    return xi, yi, x - xi, y - yi


@inline_jit
def _uv(k, bary, y, x, uv, uv_triangles):
    b0, b1, b2 = bary[y, x, 0], bary[y, x, 1], bary[y, x, 2]
    i, j, h = uv_triangles[k, 0], uv_triangles[k, 1], uv_triangles[k, 2]
    return b0 * uv[i, 0] + b1 * uv[j, 0] + b2 * uv[h, 0], b0 * uv[i, 1] + b1 * uv[j, 1] + b2 * uv[h, 1]


@jit
def bump_heights(triangle_id, bary, n_head, part, uv, uv_triangles, masks, box, p, height_mm):
    """Height of wrinkles, pores and lip lines above the smooth skin, in millimetres, for each pixel."""
    rows, columns = height_mm.shape
    for y in range(rows):
        for x in range(columns):
            height_mm[y, x] = 0.0
            k = triangle_id[y, x]
            if k < 0 or k >= n_head or part[k] != 0:
                continue
            u, v = _uv(k, bary, y, x, uv, uv_triangles)
            if u < box[0] + 0.003:
                continue
            xi, yi, fx, fy = _mask_position(u, v, box, masks.shape[0], masks.shape[1])
            total = 0.0
            for c in range(W_FORE, LIPLINES + 1):
                if PORE < c < LIPLINES:
                    continue
                upper = masks[yi, xi, c] * (1 - fx) + masks[yi, xi + 1, c] * fx
                lower = masks[yi + 1, xi, c] * (1 - fx) + masks[yi + 1, xi + 1, c] * fx
                value = (upper * (1 - fy) + lower * fy) / 127.5 - 1.0
                if c == PORE:
                    total += value * p[PORE_P] * 0.30
                elif c == LIPLINES:
                    total += value * 0.20
                else:
                    total -= value * p[c - W_FORE] * 0.65
            height_mm[y, x] = total


@inline_jit
def read_masks(m, k, bary, y, x, uv, uv_triangles, masks, box):
    """All mask values at a pixel (nearest texel: supersampling does the filtering); False on the neck and body."""
    u, v = _uv(k, bary, y, x, uv, uv_triangles)
    if u <= box[0] + 0.003:
        m[:] = 0.0
        m[MOTTLE], m[STUBBLE], m[PORE] = 0.5, 0.5, 0.5
        return False
    xi, yi, fx, fy = _mask_position(u, v, box, masks.shape[0], masks.shape[1])
    xi += 1 if fx > 0.5 else 0
    yi += 1 if fy > 0.5 else 0
    for c in range(N_MASKS):
        m[c] = masks[yi, xi, c] * np.float32(1 / 255.0)
    return True
