"""A process that does one thing after the other and can be stopped: a compiler that takes too long, or a GPU out of
memory, costs that one thing and nothing else."""

from __future__ import annotations

import multiprocessing as mp
import traceback
from collections.abc import Callable


class Failed(RuntimeError):
    """The job gave no result; the message is one line and says why."""


class Worker:
    """Runs functions of importable modules in a second process, started anew after one that was stopped or died."""

    def __init__(self):
        self._process = self._pipe = None

    def ask(self, function: Callable, *arguments, timeout: float):
        """The function's result.

        Raises
        ------
        Failed
            If it raised, died, or was stopped after `timeout` seconds.
        """
        if self._process is None:
            context = mp.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(theirs,), daemon=False)
            self._process.start()
            theirs.close()
        self._pipe.send((function, arguments))
        try:
            if not self._pipe.poll(timeout):
                raise Failed(f"stopped after {timeout:.0f} s")
            good, value = self._pipe.recv()
        except EOFError:
            self.stop()
            raise Failed("the process died") from None
        except BaseException:
            self.stop()
            raise
        if not good:
            raise Failed(value)
        return value

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._pipe.close()
            self._process = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_) -> None:
        self.stop()


def _serve(pipe) -> None:
    while True:
        try:
            function, arguments = pipe.recv()
        except EOFError:
            return
        try:
            answer = True, function(*arguments)
        except Exception as error:  # handed over: the asker raises it
            traceback.print_exc()
            answer = False, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        pipe.send(answer)
