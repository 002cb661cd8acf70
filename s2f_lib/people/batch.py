"""Many pictures at once, on several processes, in order and with bounded memory."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import numpy as np

from s2f_lib.people import accessories, render
from s2f_lib.people.parallel import in_order

PEOPLE_PER_TASK = 8


def _render(people, items, size: int, kind: str, want_landmarks: bool, wear):
    pictures = np.empty((len(people), len(items), size, size, 3), np.uint8)
    landmarks = np.empty((len(people), len(items), 68, 2), np.float32)
    for i, person in enumerate(people):
        for k, item in enumerate(items):
            if kind == "wild":
                pictures[i, k], landmarks[i, k] = render.render_wild(person, item, size, True, wear=wear)
            else:
                pictures[i, k], landmarks[i, k] = render.render_canonical(person, size, return_landmarks=True)
    return (pictures, landmarks) if want_landmarks else pictures


def _check(items, kind: str) -> tuple[int, ...]:
    if kind not in ("wild", "canonical"):
        raise ValueError(f"kind is {kind!r}; wanted 'wild' or 'canonical'")
    if kind == "canonical":
        return (0,)
    if items is not None and not isinstance(items, Iterable):
        raise ValueError(f"items is {items!r}; wanted the numbers of the pictures, for example range(4) or [0]")
    items = (0,) if items is None else tuple(items)
    if not items:
        raise ValueError("items is empty; wanted the numbers of the pictures of each person, for example range(4)")
    return items


def iterate_pictures(
    population, items: Sequence[int] | None = None, size: int = 128, kind: str = "wild", workers: int = 2,
    return_landmarks: bool = False, wear=None,
) -> Iterator:  # fmt: skip
    """Render chunks of people in order; only a few chunks are in memory at a time.

    ValueError for an impossible size, kind or item, or accessories on canonical pictures.

    Parameters
    ----------
    population : Population or sequence of Person
    items : sequence of int, optional
        Numbers of the wild pictures of each person, by default ``[0]``; a canonical picture has one item.
    size : int
        Side in pixels.
    kind : "wild" or "canonical"
    workers : int
        Processes; 0 or 1 renders in this one.
    wear : str or sequence of str, optional
        Hats, glasses and occluders in the wild pictures, see `render.render_wild`.

    Yields
    ------
    np.ndarray, shape (people of this chunk, items, size, size, 3), uint8
        And, with `return_landmarks`, float32 (people, items, 68, 2) as second element of a pair.
    """
    wear = accessories.check(wear)
    if wear and kind == "canonical":
        raise ValueError(f"wear is {', '.join(wear)}, but canonical pictures show bare faces; wanted kind='wild'")
    items, size = _check(items, kind), render.check_size(size)
    work = partial(_render, items=items, size=size, kind=kind, want_landmarks=return_landmarks, wear=wear)
    yield from in_order(work, list(population), PEOPLE_PER_TASK, workers)


def render_many(
    population, items: Sequence[int] | None = None, size: int = 128, kind: str = "wild", workers: int = 2,
    return_landmarks: bool = False, wear=None,
):  # fmt: skip
    """All pictures of a population in one array; for sets that do not fit in memory use `iterate_pictures`.

    Takes what that takes; gives (people, items, size, size, 3) uint8 and, with `return_landmarks`, also (people, items,
    68, 2) float32.
    """
    items = _check(items, kind)
    size = render.check_size(size)
    pictures = np.empty((len(population), len(items), size, size, 3), np.uint8)
    landmarks = np.empty((len(population), len(items), 68, 2), np.float32)
    done = 0
    for part, points in iterate_pictures(population, items, size, kind, workers, True, wear):
        pictures[done : done + len(part)], landmarks[done : done + len(part)] = part, points
        done += len(part)
    return (pictures, landmarks) if return_landmarks else pictures
