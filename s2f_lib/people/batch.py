"""Many pictures at once, on several processes, in order and with bounded memory."""

import multiprocessing as mp
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from s2f_lib.people import accessories, render

PEOPLE_PER_TASK = 8
TASKS_AHEAD = 3  # per process: bounds what waits in memory


def _render_task(task):
    people, items, size, kind, want_landmarks, wear = task
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
    people = list(population)
    tasks = (
        (people[i : i + PEOPLE_PER_TASK], items, size, kind, return_landmarks, wear)
        for i in range(0, len(people), PEOPLE_PER_TASK)
    )
    if workers <= 1:
        yield from map(_render_task, tasks)
        return
    yield from _in_order(_render_task, tasks, workers)


def _in_order(function, tasks, workers: int) -> Iterator:
    """`map` over fresh processes with a bounded queue. "spawn" is safe after threads and CUDA have started."""
    context = mp.get_context("spawn")
    with context.Pool(workers, initializer=_one_thread) as pool:
        waiting = deque()
        for task in tasks:
            waiting.append(pool.apply_async(function, (task,)))
            if len(waiting) >= workers * TASKS_AHEAD:
                yield waiting.popleft().get()
        while waiting:
            yield waiting.popleft().get()


def _one_thread() -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"


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
