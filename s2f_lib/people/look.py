"""What a person looks like apart from the shape of the head: skin, hair, eyes, beard, make-up, wrinkles, moles.

`appearance` draws the look that belongs to the person; `picture_appearance` changes what people change from one day to
the next (make-up, stubble, now and then the hair). All random draws are made in a fixed order whatever the attributes
are, so that changing one attribute of a person changes nothing else.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from s2f_lib.io.files import read_json
from s2f_lib.people.head import LOOK_STREAM, random_stream

# Colours of skin, hair, eyes and things, and the shares of hair styles and beards; the file says what each is.
LOOKS = read_json(Path(__file__).parent / "data" / "looks.json")
HAIR_RGB, RED_HAIR, GREY_HAIR = (np.array(LOOKS[name]) for name in ("hair_rgb", "red_hair_rgb", "grey_hair_rgb"))
SKIN_SRGB, LIPSTICK_SRGB = (np.array(LOOKS[name], float) for name in ("skin_srgb", "lipstick_srgb"))
STYLES, BEARDS = LOOKS["styles"], LOOKS["beards"]
RESTYLE = {"male": 0.10, "female": 0.20}  # share of wild pictures with another hair style than the usual one


@dataclass(frozen=True)
class Appearance:
    """The look of a person in one picture; colours are linear RGB, amounts mostly 0 to 1."""

    skin: np.ndarray
    hair: np.ndarray
    brow: np.ndarray
    beard_colour: np.ndarray
    iris: np.ndarray
    lipstick: np.ndarray
    hair_style: str
    beard: str
    brow_style: str
    params: dict  # entries of `paint.PARAMS` that belong to the person
    brow_width: float
    lash_width: float
    iris_size: float
    glasses: float  # thickness of the frame, 0 = none
    moles: np.ndarray  # (4, 4): x, y of the template, radius in decimetres, strength


def linear_rgb(srgb) -> np.ndarray:
    """sRGB in 0 to 255 -> linear light in 0 to 1."""
    c = np.asarray(srgb, float) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def _pick(shares: dict, u: float):
    edges = np.cumsum(list(shares.values())) / sum(shares.values())
    return list(shares)[min(int(np.searchsorted(edges, u, side="right")), len(shares) - 1)]


def skin_colour(person, z: np.ndarray) -> np.ndarray:
    """Linear RGB of the skin from melanin, the group's undertone and two personal numbers."""
    t = float(np.clip(person.melanin, 0, 1)) * (len(SKIN_SRGB) - 1)
    low = min(int(t), len(SKIN_SRGB) - 2)
    steps = linear_rgb(SKIN_SRGB)
    colour = steps[low] * (1 + low - t) + steps[low + 1] * (t - low)
    warm = 0.045 * z[0]
    colour = colour * np.array([1 + warm * 0.4, 1, 1 - warm]) * (1 + 0.05 * z[1])
    return np.clip(colour * np.array(LOOKS["undertone"][person.group]), 0.01, 0.95)


def natural_hair(person, u: float, z: float) -> np.ndarray:
    """Linear RGB of the hair before it turns grey."""
    african, asian, caucasian = person.ancestry
    if caucasian > 0.6 and u < 0.05:
        return RED_HAIR * np.exp(0.2 * z)
    darkness = person.hair_darkness + 0.9 * max(0.0, african + asian - 0.25)
    log_rgb = [np.interp(darkness, LOOKS["hair_steps"], np.log(HAIR_RGB[:, c])) for c in range(3)]
    return np.exp(np.array(log_rgb) + 0.12 * z)


def hair_style(person, u_receding: float, u_style: float) -> tuple[str, bool]:
    """Usual hair style and whether the hairline has receded."""
    afro = "_afro" if person.ancestry[0] > 0.55 else ""
    if person.sex == "male":
        receding = u_receding < np.clip((person.age - 24) / 75, 0, 0.72)
        return _pick(STYLES[f"male{'_receding' if receding else ''}{afro}"], u_style), receding
    kind = "female_afro" if afro else ("female_old" if person.age > 58 else "female")
    return _pick(STYLES[kind], u_style), False


def _grey(person, u: float, z: float) -> float:
    """Share of grey, 0 to 1; about half of the women dye their hair."""
    grey = float(np.clip((person.age - 44 - 7 * z) / 26, 0, 1))
    return grey if person.sex == "male" or u < 0.45 else 0.25 * grey


def _ageing(person, u: np.ndarray, z: np.ndarray) -> dict:
    """Wrinkles, spots, circles under the eyes: entries of `paint.PARAMS`."""
    amount = 1.8 * np.clip((person.age - 25) / 47, 0, 1.15)
    params = {}
    for i, name in enumerate(("w_fore", "w_crow", "w_naso", "w_mar", "w_eye", "w_cheek")):
        first = 0.12 if name in ("w_naso", "w_eye") else 0.0
        params[name] = float(np.clip(amount * (0.6 + 0.7 * u[i]) + first, 0, 2.6))
    params["spots"] = float(np.clip((person.age - 40) / 35, 0, 1) * (0.5 + 1.0 * u[6]) * (1 - 0.6 * person.melanin))
    params["circles"] = float(np.clip(0.18 + 0.30 * amount + 0.15 * z[0], 0, 1))
    return params


def _moles(rng: np.random.Generator, melanin: float) -> np.ndarray:
    """Up to four moles somewhere on the face, in coordinates of the template."""
    x, y = rng.uniform(-0.55, 0.55, 4), rng.uniform(-1.0, 0.5, 4)
    moles = np.stack([x, y, rng.uniform(0.012, 0.026, 4), rng.uniform(0.5, 1, 4)], 1)
    on_eye = (np.abs(np.abs(moles[:, 0]) - 0.29) < 0.18) & (np.abs(moles[:, 1]) < 0.1)
    moles[(np.arange(4) >= rng.poisson(1.2 * (1 - 0.6 * melanin))) | on_eye, 2] = 0
    return moles.astype(np.float32)


def appearance(person) -> Appearance:
    """The usual look of a person; depends on nothing but the person."""
    rng = random_stream(person, LOOK_STREAM)
    u, z = rng.random(40), rng.standard_normal(24)
    male = person.sex == "male"
    natural = natural_hair(person, u[0], z[2])
    grey = _grey(person, u[1], z[3])
    brow_grey = grey * (0.6 if male else 0.25)
    style, receding = hair_style(person, u[2], u[3])
    beard = _pick(BEARDS["sparse" if person.ancestry[1] > 0.55 else "most"], u[4]) if male else "none"
    thickness = (1.22 if male else 0.78) + 0.16 * z[4] + 0.05 * person.androgen + 0.10 * person.brow
    made_up = 0.0 if male else float(u[6] < 0.7)
    params = _ageing(person, u[10:18], z[10:]) | {
        "pore": 0.8,
        "redness": float(np.clip((0.5 if person.melanin < 0.35 else 0.3) + 0.22 * z[5], 0.05, 1.1)),
        "freckles": float((0.3 + 0.7 * u[7]) * (person.melanin < 0.25) * (u[8] < (0.6 if u[0] < 0.05 else 0.15))),
        "lip_makeup": made_up * (0.2 + 0.5 * u[9]),
        "eye_makeup": made_up * (0.2 + 0.7 * u[18]),
        "brow_density": float(np.clip((0.72 if male else 0.58) + 0.12 * z[6], 0.3, 0.9)),
        "beard_shadow": _beard_shadow(person, beard, u[19]),
        "receding": 0.5 + 0.5 * u[20] if receding else 0.0,
        "oiliness": 0.4 + 0.6 * u[21],
        "grey_strands": 0.5 * min(grey * (1.2 - grey) * 2, 0.5),
        "lip_natural": 0.30 + 0.25 * u[22] if male else 0.75 + 0.35 * u[22],
        "brow_lift": 0.022 * z[7] - 0.006 * male,
        "brow_arch": 0.020 * z[8] + (0.0 if male else 0.012),
        "brow_thickness": float(np.clip(thickness, 0.45, 1.6)),
    }
    return Appearance(
        skin=skin_colour(person, z),
        hair=natural * (1 - grey) + GREY_HAIR * grey,
        brow=natural * 0.85 * (1 - brow_grey) + 0.30 * brow_grey + 0.006,
        beard_colour=natural * 0.8 * (1 - 0.7 * grey) + 0.30 * 0.7 * grey,
        iris=np.array(LOOKS["iris_rgb"][person.eye_colour]) * np.exp(0.2 * z[9]),
        lipstick=linear_rgb(LIPSTICK_SRGB[int(u[23] * len(LIPSTICK_SRGB))]),
        hair_style=style,
        beard=beard,
        brow_style="thin" if thickness < 0.85 else ("mid" if thickness < 1.15 else "thick"),
        params=params,
        brow_width=0.8 + 0.35 * u[24],
        lash_width=0.3 if male else 0.8 + 1.2 * params["eye_makeup"],
        iris_size=float(np.clip(1 + 0.04 * z[20], 0.9, 1.1)),
        glasses=(0.8 + 0.5 * u[26]) * float(person.style == 1 or u[25] < 0.08),
        moles=_moles(rng, person.melanin),
    )


def _beard_shadow(person, beard: str, u: float) -> float:
    """Darkness of shaved or short beard on the skin."""
    if person.sex != "male":
        return 0.0
    shadow = 0.14 + 0.26 * u if beard == "none" else 0.40 + 0.35 * u
    if beard not in ("none", "stubble"):
        return 0.7 if beard == "beard_short" else 0.8
    shadow *= float(np.clip(1 + 0.15 * person.androgen, 0.5, 1.5))
    return shadow * (0.7 if person.ancestry[1] > 0.55 else 1.0)


def picture_appearance(person, usual: Appearance, rng: np.random.Generator, restyle: float | None = None) -> Appearance:
    """The look in one wild picture: make-up and stubble of the day, sometimes another hair style.

    `rng` is the stream of the picture, `restyle` the chance of another hair style than usual, by default `RESTYLE`.
    """
    restyle = RESTYLE[person.sex] if restyle is None else restyle
    u = rng.random(9)
    params, style = dict(usual.params), usual.hair_style
    if u[0] < restyle and not params["receding"]:
        style = hair_style(person, 1.0, u[1])[0]
    if person.sex == "female":
        worn = float(u[2] < (0.75 if usual.params["eye_makeup"] else 0.25))
        params["lip_makeup"] = worn * (0.2 + 0.5 * u[3])
        params["eye_makeup"] = worn * (0.2 + 0.7 * u[4])
    elif usual.beard in ("none", "stubble"):
        params["beard_shadow"] *= 0.6 + 0.9 * u[5]
    params["redness"] *= 0.7 + 0.6 * u[6]
    params["oiliness"] *= 0.6 + 0.8 * u[7]
    lash = usual.lash_width if person.sex == "male" else 0.8 + 1.2 * params["eye_makeup"]
    glasses = usual.glasses * float(u[8] < 0.85)
    return replace(usual, hair_style=style, params=params, lash_width=lash, glasses=glasses)
