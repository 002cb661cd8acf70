"""One way to run many tasks: in this process, on the cores of this machine, or on a Dask cluster of any size."""

import contextlib
import functools
import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from s2f_lib.people.parallel import end_with

AHEAD = 4  # tasks per worker of Dask that wait in a queue; bounds the memory
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
    progress, unit
        Show a bar on stderr, and what a task is called in it.
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
        results = _on_dask(function, tasks, jobs, scheduler, isolated)
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
    """Pools of one process each, so that a crash is that of one task; they end with their parent, even a killed one."""
    call, waiting, running = functools.partial(_call, function, isolated), iter(tasks), {}
    free = [_process() for _ in range(jobs)]
    try:
        while True:
            for process, task in zip(free[:], waiting):  # in this order no task is lost
                running[process.submit(call, task)] = task, process
                free.remove(process)
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                task, process = running.pop(future)
                died = isinstance(future.exception(), BrokenProcessPool)
                if died and isolated is None:
                    raise WorkerDied(
                        "a worker process was killed (out of memory?); what is complete is kept, run again to go on"
                    )
                free.append(_process() if died else process)
                yield task, WorkerDied("the process that read it crashed or took too long") if died else future.result()
    finally:
        for process in (*free, *(process for _, process in running.values())):
            process.shutdown(cancel_futures=True)


def _process() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, initializer=end_with, initargs=(os.getpid(),))


def _call(function: Callable, seconds: float | None, task: Any) -> Any:
    """In a worker: the task, and the end of the process when its time is over, wherever it hangs."""
    if seconds is None or not hasattr(signal, "setitimer"):
        return function(task)
    if threading.current_thread() is threading.main_thread():  # a worker of Dask has its tasks in another thread
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return function(task)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _on_dask(
    function: Callable, tasks: Iterable, jobs: int, scheduler: str, isolated: float | None
) -> Iterator[tuple[Any, Any]]:
    """The same on a Dask cluster; a task whose worker dies goes to another one."""
    try:
        from distributed import Client, KilledWorker, LocalCluster, as_completed
    except ImportError as error:
        raise ImportError("a Dask cluster needs dask and distributed; pip install 's2f-lib[data]'") from error

    call, waiting, running = functools.partial(_call, function, isolated), iter(tasks), {}
    with contextlib.ExitStack() as stack:
        here = scheduler == "dask"
        if here:
            options = {"n_workers": jobs, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
            scheduler = stack.enter_context(LocalCluster(processes=True, **options))
        client = stack.enter_context(Client(scheduler, set_as_default=False))
        if here:  # the link opens a live view where bokeh is installed
            print(f"Dask on this machine, dashboard at {client.dashboard_link}", file=sys.stderr)

        def submit(count: int) -> list:
            new = {client.submit(call, task, pure=False): task for task in itertools.islice(waiting, count)}
            running.update((future.key, task) for future, task in new.items())
            return list(new)

        pending = as_completed(submit(max(jobs, sum(client.ncores().values())) * AHEAD), loop=client.loop)
        for future in pending:
            task = running.pop(future.key)
            try:
                result = future.result()
            except KilledWorker as error:
                result = WorkerDied(f"a task killed its worker {ATTEMPTS} times; the rest is kept, run again")
                if isolated is None:
                    raise result from error
            yield task, result
            future.release()
            for new in submit(1):
                pending.add(new)
