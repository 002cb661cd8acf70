"""Work for many people on several processes: in order, and with bounded memory."""

import multiprocessing
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

AHEAD = 3  # parts per process that are made or wait in memory


def in_order(function: Callable, population: Sequence, size: int, workers: int) -> Iterator:
    """What a function gives for `size` people at a time; in this process with at most one worker."""
    parts = (population[i : i + size] for i in range(0, len(population), size))
    if workers <= 1:
        yield from map(function, parts)
        return
    pool, waiting = processes(workers), deque()
    try:
        for part in parts:
            waiting.append(pool.submit(function, part))
            if len(waiting) >= workers * AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def processes(workers: int) -> ProcessPoolExecutor:
    """Fresh processes ("spawn"), which is safe after threads and CUDA have started; they end with this one."""
    return ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), initializer=end_with, initargs=(os.getpid(),)
    )


def end_with(parent: int) -> None:
    """In a worker: one thread, and the end when the parent is gone, even a killed one."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    if "torch" in sys.modules:  # its threads did not come along
        sys.modules["torch"].set_num_threads(1)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
