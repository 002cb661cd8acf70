"""What all tests share: the root of the repository, quiet plotting, reasons for skips."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests are small; threads only get in each other's way

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(autouse=True)
def close_figures():
    """Leave no figure open behind a test that drew one."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


def pytest_collection_modifyitems(items):
    """Skip, with a reason, what this machine cannot run."""
    wanted = {mark for item in items for mark in ("gpu", "network") if item.get_closest_marker(mark)}
    reasons = {}
    if "gpu" in wanted:
        import torch

        if not torch.cuda.is_available():
            reasons["gpu"] = "needs a CUDA device, there is none"
    if "network" in wanted and not os.environ.get("S2F_NETWORK"):
        reasons["network"] = "needs the internet; set S2F_NETWORK=1 to run it"
    for item in items:
        for mark, reason in reasons.items():
            if item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason=reason))


def damaged(data: bytes, number: int, seed: int) -> bytes:
    """A copy of a file that is cut, or has bytes changed, taken out or put in, mostly where its structure is: early."""
    import numpy as np

    rng = np.random.default_rng([seed, number])
    body, how = bytearray(data), rng.integers(5)
    if how == 0:
        return bytes(body[: rng.integers(len(body))])
    for _ in range(rng.integers(1, 8)):
        at = int(rng.integers(len(body) if rng.random() < 0.5 else min(2000, len(body))))
        if how == 1:
            body[at : at + rng.integers(1, 64)] = b""
        elif how == 2:
            body[at:at] = rng.bytes(8)
        else:
            body[at] = rng.integers(256) if how == 3 else rng.choice([0, 1, 127, 128, 255])
        body = body or bytearray(1)
    return bytes(body)


@pytest.fixture
def fuzz(tmp_path):
    """``fuzz(data, suffix, read, refused)`` reads some hundred damaged copies of a file; see `damaged`.

    Each must be read, or refused by an exception of the class ``refused`` whose message names the file. Everything
    else fails: another exception, a crash, more than ``seconds`` of the processor or ``megabytes``. A child process
    does the reading.
    """
    if not hasattr(os, "fork"):
        pytest.skip("needs fork, to outlive a reader that crashes")

    def fuzz(data, suffix, read, refused, count=120, seed=0, seconds=10, megabytes=3000):
        path, told = tmp_path / f"damaged{suffix}", tmp_path / "told"
        told.write_text("")
        done, bad = 0, []
        while done < count:
            child = os.fork()
            if not child:
                try:
                    _read_damaged(data, path, told, read, refused, range(done, count), seed, seconds, megabytes)
                finally:
                    os._exit(0)
            _, status = os.waitpid(child, 0)
            lines = told.read_text().splitlines()
            if os.WIFSIGNALED(status):
                bad.append(f"damage {len(lines)}: signal {os.WTERMSIG(status)}")
                told.write_text("\n".join([*lines, "signal"]) + "\n")
            elif len(lines) < count:
                raise AssertionError(f"the reading process ended after {len(lines)} of {count} without a word")
            done = len(told.read_text().splitlines())
        bad += [f"damage {k}: {line}" for k, line in enumerate(lines) if line not in ("read", "refused", "signal")]
        assert not bad, f"{len(bad)} of {count} damaged files were not refused in words: {bad[:10]}"
        assert "refused" in lines, "no damage was noticed, so this test tests nothing"

    return fuzz


def _read_damaged(data, path, told, read, refused, numbers, seed, seconds, megabytes):
    """Read damaged copies one after the other, and write a line about each."""
    import resource
    import signal
    import warnings

    warnings.simplefilter("ignore")
    used = (
        int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() if sys.platform == "linux" else 0
    )
    most = used + megabytes * 10**6 if used else resource.RLIM_INFINITY
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
    with open(told, "a", buffering=1) as lines:
        for number in numbers:
            path.write_bytes(damaged(data, number, seed))
            signal.setitimer(signal.ITIMER_PROF, seconds)  # nobody catches it: the process ends
            try:
                read(path)
                line = "read"
            except refused as error:
                line = "refused" if path.name in str(error) else f"the file is not named in {str(error)[:100]!r}"
            except BaseException as error:
                line = f"{type(error).__name__}: {str(error)[:100]!r}"
            signal.setitimer(signal.ITIMER_PROF, 0)
            lines.write(line + "\n")
