"""Synthetic people: faces and voices from the same known person."""

from s2f_lib.people.batch import iterate_pictures, render_many
from s2f_lib.people.head import landmarks
from s2f_lib.people.population import Person, Population, sample
from s2f_lib.people.render import render_canonical, render_wild

__all__ = [
    "Person",
    "Population",
    "iterate_pictures",
    "landmarks",
    "render_canonical",
    "render_many",
    "render_wild",
    "sample",
    "vary",
]


def vary(person: Person, **changes) -> Person:
    """The same person with one cause changed; everything downstream follows, all chance stays (for sliders).

    Parameters
    ----------
    person : Person
    **changes
        ``sex``, ``age``, ``group``, ``language``, ``world``, any face score (``jaw=2.0``) or voice parameter.

    Returns
    -------
    Person

    Raises
    ------
    ValueError
        For an unknown name or an impossible value.

    Examples
    --------
    >>> person = sample(1)[0]
    >>> vary(person, age=80).age, vary(person, age=80).jaw == person.jaw
    (80.0, True)
    """
    return person.intervene(**changes)
