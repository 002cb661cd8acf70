"""Assignment by quotas: sex, age band, group and language of every person, balanced in any number of people.

In a small random sample a language that happens to be spoken by more women is enough to make a null world decodable
(seen with 300 people). Therefore nothing here is left to independent draws: cells are permuted blocks, languages are
low-discrepancy sequences inside and across cells. All sequences are stable: more people never change the first ones.
"""

import zlib

import numpy as np

from s2f_lib.people.causes import GROUPS, HOME_LANGUAGES, LANGUAGES
from s2f_lib.people.worlds import World

AGE_BANDS = 7  # equal parts of the age range, about a decade each
STEPS = {  # of the low-discrepancy draws, per person of a cell and per cell; irrational and unrelated to each other
    "language": (0.6180339887498949, 0.41421356237309515),
    "style": (0.7320508075688772, 0.2360679774997898),
}


def whole(value) -> bool:
    """Whether a value is a whole number; True and False are none here."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def stream(seed: int, name: str) -> np.random.Generator:
    """Random numbers of one quantity; adding a quantity to the model never changes another one."""
    return np.random.default_rng([int(seed), zlib.crc32(name.encode())])


def cells(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sex, age band and group in permuted blocks of 56: every 2 people are of both sexes, every 8 two of each group."""
    blocks = -(-n // (8 * AGE_BANDS))
    bands = stream(seed, "bands").random((blocks, 2, len(GROUPS), AGE_BANDS)).argsort(axis=3)
    groups = stream(seed, "groups").random((blocks, AGE_BANDS, len(GROUPS))).argsort(axis=2)
    first = stream(seed, "sex").integers(0, 2, (blocks, AGE_BANDS, len(GROUPS)))
    sex = np.stack([first, 1 - first], axis=3)  # (block, round, place, pair)
    group = np.broadcast_to(groups[..., None], sex.shape)
    block, turn = np.arange(blocks)[:, None, None, None], np.arange(AGE_BANDS)[None, :, None, None]
    band = bands[block, sex, group, turn]
    return sex.reshape(-1)[:n], band.reshape(-1)[:n], group.reshape(-1)[:n]


def spread(sex: np.ndarray, band: np.ndarray, group: np.ndarray, seed: int, name: str) -> np.ndarray:
    """A number in [0, 1) per person, evenly spread inside every cell and over every margin of cells."""
    cell = (group * 2 + sex) * AGE_BANDS + band
    order = np.argsort(cell, kind="stable")
    start = np.searchsorted(cell[order], cell[order])
    turn = np.empty(len(cell), int)
    turn[order] = np.arange(len(cell)) - start  # how many came before in the same cell
    per_turn, per_cell = STEPS[name]
    return (turn * per_turn + cell * per_cell + stream(seed, name).random()) % 1.0


def languages(sex, band, group, world: World, seed: int) -> np.ndarray:
    """Language of each person: a home language of the group with probability `world.home_language`."""
    u = spread(sex, band, group, seed, "language")
    language = np.empty(len(group), dtype="<U8")
    for g, name in enumerate(GROUPS):
        home = HOME_LANGUAGES[name]
        away = tuple(x for x in LANGUAGES if x not in home)
        p = [world.home_language / len(home)] * len(home) + [(1 - world.home_language) / len(away)] * len(away)
        here = group == g
        slot = np.searchsorted(np.cumsum(p)[:-1], u[here], side="right")
        language[here] = np.array(home + away)[slot]
    return language
