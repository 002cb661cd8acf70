"""Worlds: the same faces, with the arrows from body to voice switched on or off.

A difference between what a model sees in two worlds is caused by the arrows that differ, since faces, voice noise and
the draw that decides the language are the same for one seed. What a model sees in ``confounded_only`` is stereotype by
construction; what it sees in ``null`` is chance or a bug. All are in ``data/worlds.csv``.
"""

import numbers
from dataclasses import dataclass

from s2f_lib.io.files import read_table
from s2f_lib.people.causes import ARROWS, DATA, NODES, ROOTS


@dataclass(frozen=True)
class World:
    """Four switches that scale the arrows of `s2f_lib.people.causes`."""

    name: str
    individual: float  # one's own body and face -> voice; 1 = as in the literature
    sex_age: float  # sex and age -> voice
    home_language: float  # probability of speaking a language of one's group; 0.25 = language tells nothing
    style: float  # subculture -> voice
    description: str


WORLDS = {
    row["name"]: World(**{k: v if k in ("name", "description") else float(v) for k, v in row.items()})
    for row in read_table(DATA / "worlds.csv")
}


def get(world: str | World) -> World:
    """Return a world by name; a `World` of your own passes through.

    Raises ValueError if the name is not known, or a switch is outside its range; the message lists what is known.
    """
    if isinstance(world, World):
        for name, most in (("individual", 5), ("sex_age", 5), ("style", 5), ("home_language", 1)):
            value, wanted = getattr(world, name), "a probability" if most == 1 else "0 (off) to 5"
            if not isinstance(value, numbers.Real) or not 0 <= value <= most:
                raise ValueError(f"world {world.name!r}: {name} is {value!r}, wanted {wanted}")
        return world
    if not isinstance(world, str) or world not in WORLDS:
        known = f"wanted one name or a World of your own; known worlds: {', '.join(WORLDS)}"
        raise ValueError(f"world is {world!r}; {known}")
    return WORLDS[world]


def scale(world: str | World, switch: str) -> float:
    """How strongly a world scales the arrows of one switch; 1 for ``always``."""
    return 1.0 if switch == "always" else getattr(get(world), switch)


def table(world: str | World | None = None):
    """Every arrow as one row (pandas.DataFrame), ready to print: the very list that the generator reads.

    Columns: cause, effect, coefficient, unit (of the effect, per unit of the cause), switch, source, and with a `world`
    ``in <world>``, the coefficient after its switch. An arrow from ``group`` has one coefficient per group, A to D. The
    last row is the arrow from group to language: the probability of speaking a home language of one's group.
    """
    import pandas as pd

    rows = [_row(arrow, world) for arrow in ARROWS]
    language = {"cause": "group", "effect": "language", "coefficient": "home_language", "unit": "probability"}
    language |= {"switch": "home_language", "source": "our choice; 0.25 is independence with four groups"}
    if world is not None:
        language[f"in {get(world).name}"] = get(world).home_language
    return pd.DataFrame([*rows, language])


def _row(arrow, world) -> dict:
    node = next(n for n in NODES if n.name == arrow.effect)
    unit = {"log": "log", "unit": "z", "linear": node.unit}[node.link]
    cause, _ = ROOTS.get(arrow.cause, ("z", None))
    row = {"cause": arrow.cause, "effect": arrow.effect, "coefficient": _rounded(arrow.coefficient)}
    row |= {"unit": f"{unit} per {cause}" if cause == "z" else f"{unit} ({cause})"}
    row |= {"switch": arrow.switch, "source": arrow.source}
    if world is not None:
        row[f"in {get(world).name}"] = _rounded(arrow.coefficient, scale(world, arrow.switch))
    return row


def _rounded(coefficient, factor: float = 1.0):
    if isinstance(coefficient, tuple):
        return tuple(round(c * factor, 3) for c in coefficient)
    return round(coefficient * factor, 4)


def summary():
    """The worlds and their switches, one row each (pandas.DataFrame)."""
    import pandas as pd

    return pd.DataFrame([vars(w) for w in WORLDS.values()]).set_index("name")
