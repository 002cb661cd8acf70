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
