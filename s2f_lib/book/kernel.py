"""Cells of a notebook in a kernel of their own: one after the other, several notebooks at once, stopped by ctrl-C.

papermill and myst-nb would do it, too; but the first starts waiting runs after ctrl-C, the second keeps a page of
several minutes silent, and both leave each kernel as many threads as there are cores.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from s2f_lib.io import atomic_write

RECORD = "application/papermill.record/"  # how a kept number is stored in an executed page
_running: set = set()  # clients whose kernels work now
_stopping = threading.Event()


def passive_threads(number: int | None = None) -> None:
    """Have kernels started from here use threads that sleep while they wait, and at most `number` of them each.

    What the user has set stays. Two pages that need the same clips wait for each other without a word in either.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("PYTHONWARNINGS", "ignore:waiting for")
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    if number:
        os.environ.setdefault("OMP_NUM_THREADS", str(number))


def execute(notebook, folder: Path, *, save: Path | None = None, bar: str = "", say: Callable | None = None) -> str:
    """Execute a notebook (nbformat.NotebookNode) in place; gives "", or what went wrong in which cell.

    Parameters
    ----------
    folder : Path
        Working folder of the kernel.
    save : Path, optional
        Where to write the notebook, after each cell.
    bar : str
        Title of a progress bar over the cells; none if empty.
    say : callable, optional
        Called with (cells done, cells in all).
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError
    from tqdm import tqdm

    passive_threads()
    where = {"metadata": {"path": str(folder)}}
    # times in the metadata of cells would be part of the key under which Jupyter Book looks for a page
    client = NotebookClient(notebook, timeout=None, kernel_name="python3", resources=where, record_timing=False)
    cells = [(i, cell) for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    error, i = "", 0
    try:
        with client.setup_kernel(), tqdm(cells, bar, disable=not bar, file=sys.stderr) as shown:
            _running.add(client)
            if _stopping.is_set():  # while the kernel started
                raise KeyboardInterrupt
            for done, (i, cell) in enumerate(shown):
                if say:
                    say(done, len(cells))
                client.execute_cell(cell, i)
                if save:
                    _write(notebook, save)
    except CellExecutionError as failure:
        error = f"cell {i}: {failure.ename}: {failure.evalue}"
    except DeadKernelError:
        if _stopping.is_set():
            raise KeyboardInterrupt from None
        error = f"cell {i}: the kernel died (out of memory?)"
    finally:
        _running.discard(client)
    if save:
        _write(notebook, save)
    nbformat.validate(notebook)
    return error


def _write(notebook, path: Path) -> None:
    import nbformat

    with atomic_write(path, "w") as file:
        nbformat.write(notebook, file)


def in_parallel(tasks: Mapping[Any, Callable[[], Any]], jobs: int = 1) -> Iterator[tuple[Any, Any]]:
    """(key, result) of tasks that call `execute`, as they come; ctrl-C kills their kernels and starts none."""
    pool = ThreadPoolExecutor(max_workers=max(1, jobs))
    try:
        futures = {pool.submit(task): key for key, task in tasks.items()}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BaseException:
        _stopping.set()
        pool.shutdown(wait=False, cancel_futures=True)
        for client in list(_running):
            client.km.provisioner.process.kill()
        pool.shutdown()
        raise
    finally:
        _stopping.clear()
    pool.shutdown()


def kept_numbers(notebook) -> dict[str, float]:
    """The plain numbers that an executed page stored with `plotting.keep`."""
    numbers = {}
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        name = output.get("metadata", {}).get("scrapbook", {}).get("name")
        text = "".join(output.get("data", {}).get(f"{RECORD}text/plain", ""))
        if name:
            try:
                numbers[name] = float(text)
            except ValueError:
                continue  # a kept text or figure, not a number
    return numbers
