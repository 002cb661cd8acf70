"""Synthetic people: faces and voices from the same known person.

``sample`` draws a population, ``render_canonical`` and ``render_wild`` make pictures, ``speak`` makes six seconds of
speech; all of it follows from ``(seed, person, item)``. Nobody real is in here: shapes come from CC0 shape targets and
random numbers, skin and hair are painted by formulas, voices are synthesised.

The renderer and the synthesiser are compiled by numba; they are imported when they are first used, so that looking at a
population costs nothing.
"""

from importlib import import_module

from s2f_lib.config import SEEDS
from s2f_lib.people.population import Person, Population, sample

_FIRST_USED = {
    "iterate_pictures": "batch",
    "landmarks": "head",
    "render_canonical": "render",
    "render_many": "batch",
    "render_wild": "render",
    "speak": "speech",
    "speak_many": "speech",
}
__all__ = ["SEEDS", "Person", "Population", "sample", "vary", *_FIRST_USED]


def __getattr__(name: str):
    if name not in _FIRST_USED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_FIRST_USED[name]}"), name)
    globals()[name] = value
    return value


def vary(person: Person, **changes) -> Person:
    """The same person, had one cause been different: everything downstream follows, all chance stays (for sliders).

    Parameters
    ----------
    person : Person
    **changes
        ``sex``, ``age``, ``group``, ``language``, ``style``, ``world``, ``melanin``, any face score (``jaw=2.0``) or
        voice parameter (``vtl=18.5``). What is set no longer listens to its own causes (the do-operator).

    Raises
    ------
    ValueError
        For an unknown name or an impossible value; the message says what is possible.

    Examples
    --------
    >>> person = sample(1)[0]
    >>> vary(person, age=80).age, vary(person, age=80).jaw == person.jaw
    (80.0, True)
    """
    return person.intervene(**changes)
