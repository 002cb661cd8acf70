"""One way to run many tasks: in this process, on the cores of this machine, or on a Dask cluster of any size."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from s2f_lib import io
from s2f_lib.corpus import storage

__all__ = ["WorkerDied", "lock", "remove", "remove_partial", "run"]

AHEAD = 4  # tasks per process that wait in a queue; bounds the memory
ATTEMPTS = 3  # of a Dask task whose worker died


class WorkerDied(RuntimeError):
    """A process that worked for us was killed; what is complete is kept."""


def run(
    function: Callable[[Any], Any],
    tasks: Iterable[Any],
    *,
    jobs: int = 1,
    scheduler: str | None = None,
    progress: bool = True,
    unit: str = "clip",
    isolated: float | None = None,
) -> Iterator[tuple[Any, Any]]:
    """Call a function on every task; yields (task, result) in the order in which they finish.

    Parameters
    ----------
    function : callable
        A function at the top of a module (it travels to other processes). Its results should be small: the work is
        written to files.
    tasks : iterable
        One argument each; taken as they are needed, so there may be millions.
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
    isolated : float, optional
        Never work in this process, and give a task at most so many seconds. A task that is alone in its process and
        ends it (a decoder that crashes on a hostile file) has a `WorkerDied` as its result; the others go on.

    Raises
    ------
    WorkerDied
        If a process was killed and, with Dask, `ATTEMPTS` times in a row; not if `isolated`. Run again to go on.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}")
    if scheduler is not None:
        results = _on_dask(function, tasks, jobs, scheduler, isolated is not None)
    elif jobs == 1 and isolated is None:
        results = ((task, function(task)) for task in tasks)
    else:
        results = _in_processes(function, tasks, jobs, isolated)
    if not progress:
        yield from results
        return
    from tqdm import tqdm

    with tqdm(total=len(tasks) if hasattr(tasks, "__len__") else None, unit=unit, dynamic_ncols=True) as bar:
        for result in results:
            bar.update()
            yield result


def _in_processes(function: Callable, tasks: Iterable, jobs: int, isolated: float | None) -> Iterator[tuple[Any, Any]]:
    """A pool whose workers end with their parent, even if that is killed."""
    call, pool, running, waiting = functools.partial(_call, function, isolated), _pool(jobs), {}, iter(tasks)
    try:
        while True:
            for task in itertools.islice(waiting, jobs * AHEAD - len(running)):
                running[pool.submit(call, task)] = task
            if not running:
                return
            suspects = []
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                task = running.pop(future)
                if isinstance(future.exception(), BrokenProcessPool):
                    suspects.append(task)
                else:
                    yield task, future.result()
            if not suspects:
                continue
            if isolated is None:
                raise WorkerDied(
                    "a worker process was killed (out of memory?); what is complete is kept, run again to go on"
                )
            for future, task in running.items():  # the pool is broken: all of them have ended, most with it
                if isinstance(future.exception(), BrokenProcessPool):
                    suspects.append(task)
                else:
                    yield task, future.result()
            running = {}
            pool.shutdown()
            for task in suspects:  # one of them broke it; each is tried once more, alone
                yield task, _alone(call, task)
            pool = _pool(jobs)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _pool(jobs: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(jobs, initializer=_end_with, initargs=(os.getpid(),))


def _alone(call: Callable, task: Any) -> Any:
    with _pool(1) as pool:
        try:
            return pool.submit(call, task).result()
        except BrokenProcessPool:
            return WorkerDied("the process that read it crashed or took too long")


def _call(function: Callable, seconds: float | None, task: Any) -> Any:
    """In a worker: the task, and the end of the process when its time is over, wherever it hangs."""
    if seconds is None or not hasattr(signal, "setitimer"):
        return function(task)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return function(task)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _end_with(parent: int) -> None:
    """In a worker: one thread, and the end when the parent is gone."""
    os.environ["OMP_NUM_THREADS"] = "1"
    if "torch" in sys.modules:  # its threads did not come along
        sys.modules["torch"].set_num_threads(1)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _on_dask(
    function: Callable, tasks: Iterable, jobs: int, scheduler: str, isolated: bool
) -> Iterator[tuple[Any, Any]]:
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
        waiting, running = iter(tasks), {}

        def submit(count: int) -> list:
            fresh = list(itertools.islice(waiting, count))
            new = [client.submit(function, task, pure=False) for task in fresh]
            running.update(zip((future.key for future in new), fresh, strict=True))
            return new

        pending = as_completed(submit(ahead), loop=client.loop)
        for future in pending:
            task = running.pop(future.key)
            try:
                result = future.result()
            except KilledWorker as error:
                result = WorkerDied(f"it ended its worker {ATTEMPTS} times")
                if not isolated:
                    raise WorkerDied(
                        f"a task killed its worker {ATTEMPTS} times: {error}; the rest is kept, run again"
                    ) from error
            yield task, result
            future.release()
            for new in submit(1):
                pending.add(new)


def lock(folder: Path) -> contextlib.AbstractContextManager:
    """Keep a second run out of a folder (`io.BusyError`); the lock goes with this process, however it ends."""
    return io.locked(folder / "manifest.csv", wait=False, busy="another run is at work in this folder")


def remove_partial(folder: storage.PathLike) -> None:
    """Delete half-written files that a killed run left.

    A run does so when it begins, and again when its tasks are done: workers of a run that was killed may outlive it for
    a moment, and begin a file in it.
    """
    remove(folder, (".*.partial*", "*/.*.partial*"))


def remove(folder: storage.PathLike, patterns: Sequence[str]) -> None:
    """Delete files (never folders, never through links) that match; what is not there is no error."""
    for pattern in patterns:
        for path in list(storage.resolve(folder).glob(pattern)):
            if path.is_file() or path.is_symlink():
                path.unlink()
