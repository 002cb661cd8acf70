"""One way to run many tasks: in this process, on the cores of this machine, or on a Dask cluster of any size."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from s2f_lib import io
from s2f_lib.corpus import storage

__all__ = ["lock", "remove", "remove_partial", "run"]

AHEAD = 4  # tasks per process that wait in a queue; bounds the memory
ATTEMPTS = 3  # of a Dask task whose worker died


class WorkerDied(RuntimeError):
    """A process that worked for us was killed; what is complete is kept."""


def run(
    function: Callable[[Any], Any],
    tasks: Sequence[Any],
    *,
    jobs: int = 1,
    scheduler: str | None = None,
    progress: bool = True,
    unit: str = "clip",
) -> Iterator[tuple[int, Any]]:
    """Call a function on every task; yields (place of the task, result) in the order in which they finish.

    Parameters
    ----------
    function : callable
        A function at the top of a module (it travels to other processes). Its results should be small: the work is
        written to files.
    tasks : sequence
        One argument each.
    jobs : int
        Processes on this machine.
    scheduler : str, optional
        None: a plain process pool. "dask": a Dask cluster on this machine, with its dashboard. An address
        (``tcp://host:8786``): the cluster that runs there, started by dask-jobqueue, dask-kubernetes or by hand; its
        machines must see the same folders under the same names.
    progress : bool
        Show a bar on stderr.
    unit : str
        What a task is called in the bar.

    Raises
    ------
    WorkerDied
        If a process was killed and, with Dask, `ATTEMPTS` times in a row. Run again to go on.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}")
    results = _pick(function, tasks, jobs, scheduler)
    if not progress:
        yield from results
        return
    from tqdm import tqdm

    with tqdm(total=len(tasks), unit=unit, dynamic_ncols=True) as bar:
        for result in results:
            bar.update()
            yield result


def _pick(function: Callable, tasks: Sequence, jobs: int, scheduler: str | None) -> Iterator[tuple[int, Any]]:
    if scheduler is not None:
        return _on_dask(function, tasks, jobs, scheduler)
    if jobs == 1 or len(tasks) < 2:
        return ((place, function(task)) for place, task in enumerate(tasks))
    return _in_processes(function, tasks, jobs)


def _in_processes(function: Callable, tasks: Sequence, jobs: int) -> Iterator[tuple[int, Any]]:
    """A pool whose workers end with their parent, even if that is killed."""
    pool = ProcessPoolExecutor(jobs, initializer=_end_with, initargs=(os.getpid(),))
    try:
        running, places = {}, iter(range(len(tasks)))
        while True:
            for place in _next(places, jobs * AHEAD - len(running)):
                running[pool.submit(function, tasks[place])] = place
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
    except BrokenProcessPool as error:
        raise WorkerDied(
            "a worker process was killed (out of memory?); what is complete is kept, run again to go on"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _end_with(parent: int) -> None:
    """In a worker: one thread, and the end when the parent is gone."""
    os.environ["OMP_NUM_THREADS"] = "1"

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _on_dask(function: Callable, tasks: Sequence, jobs: int, scheduler: str) -> Iterator[tuple[int, Any]]:
    """The same on a Dask cluster; a task whose worker dies goes to another one."""
    try:
        from distributed import Client, KilledWorker, LocalCluster, as_completed
    except ImportError as error:
        raise ImportError("a Dask cluster needs dask and distributed; pip install 's2f-lib[data]'") from error

    with contextlib.ExitStack() as stack:
        cluster = None
        if scheduler == "dask":
            cluster = LocalCluster(
                n_workers=jobs, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0"
            )
            scheduler = stack.enter_context(cluster)
        client = stack.enter_context(Client(scheduler, set_as_default=False))
        if cluster is not None:  # the link opens a live view where bokeh is installed
            print(f"Dask on this machine, dashboard at {client.dashboard_link}", file=sys.stderr)
        ahead = max(jobs, sum(client.ncores().values())) * AHEAD
        places = iter(range(len(tasks)))
        running: dict[str, int] = {}

        def submit(count: int) -> list:
            fresh = list(_next(places, count))
            new = [client.submit(function, tasks[place], pure=False) for place in fresh]
            running.update(zip((future.key for future in new), fresh, strict=True))
            return new

        pending = as_completed(submit(ahead), loop=client.loop)
        try:
            for future in pending:
                yield running.pop(future.key), future.result()
                future.release()
                for new in submit(1):
                    pending.add(new)
        except KilledWorker as error:
            raise WorkerDied(
                f"a task killed its worker {ATTEMPTS} times: {error}; the rest is kept, run again"
            ) from error


def _next(places: Iterator[int], count: int) -> Iterator[int]:
    """Up to `count` more places."""
    for _ in range(count):
        place = next(places, None)
        if place is None:
            return
        yield place


@contextlib.contextmanager
def lock(folder: str | Path) -> Iterator[None]:
    """Keep a second run out of a folder; the lock goes with the process, however it ends.

    Raises
    ------
    RuntimeError
        If another run works in this folder.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = open(folder / ".lock", "w")  # noqa: SIM115  (must stay open while we work)
    except OSError as error:
        raise io.explain(error, folder) from error
    with file:
        try:
            import fcntl
        except ImportError:  # Windows: no lock, two runs at once are up to the user
            yield
            return
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RuntimeError(f"another run is at work in {folder}; wait for it, or end it") from error
        yield


def remove_partial(folder: storage.Name) -> None:
    """Delete half-written files that a killed run left.

    A run does so when it begins, and again when its tasks are done: workers of a run that was killed may outlive it for
    a moment, and begin a file in it.
    """
    remove(folder, (".*.partial*", "*/.*.partial*"))


def remove(folder: storage.Name, patterns: Sequence[str]) -> None:
    """Delete files (never folders, never through links) that match; what is not there is no error."""
    for pattern in patterns:
        for path in list(storage.at(folder).glob(pattern)):
            if path.is_file() or path.is_symlink():
                path.unlink()
