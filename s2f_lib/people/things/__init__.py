"""Hats, glasses and what hides a face, as an option of wild pictures: ``render_wild(person, 3, wear="cap")``.

Things are triangle meshes, laid on the head of the person in three dimensions: they turn with the head, hide and are
hidden, take the same light and cast shadows. Without the option nothing is drawn and no picture changes. What a thing
looks like follows from the person, the number of the picture and the thing; all pictures of a person have things of
their own, so that no thing tells who wears it.
"""

from s2f_lib.people.things.wear import ANY, GLASSES, KINDS, SHARES, THINGS, Things, check, of_picture, put_on

__all__ = ["ANY", "GLASSES", "KINDS", "SHARES", "THINGS", "Things", "check", "of_picture", "put_on"]
