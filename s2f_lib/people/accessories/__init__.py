"""Hats, glasses and what hides a face, as an option of wild pictures: ``render_wild(person, 3, wear="cap")``.

Accessories are triangle meshes, laid on the head of the person in three dimensions: they turn with the head, hide and
are hidden, take the same light and cast shadows. Without the option nothing is drawn and no picture changes. How one
looks follows from the person, the number of the picture and its name; all pictures of a person have accessories of
their own, so that none tells who wears it.
"""

from s2f_lib.people.accessories.wear import (
    ACCESSORIES,
    ANY,
    GLASSES,
    KINDS,
    SHARES,
    Accessories,
    check,
    of_picture,
    put_on,
)
