"""Keep freed memory for the next step of a training run on the CPU, instead of giving it back to the system."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# Numbers of the parameters in glibc's malloc.h, and what its own adjustment ends at after the first large array
TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4
USUAL = {MMAP_MAX: 65_536, MMAP_THRESHOLD: 2**25, TRIM_THRESHOLD: 2**26}


@contextmanager
def kept(device: torch.device) -> Iterator[None]:
    """While this lasts, memory that tensors free stays with the process; afterwards it goes back to the system.

    Every step of a run frees and takes the same arrays. glibc maps arrays above 32 MB anew each time, and the system
    fills each of their pages with zeros: a quarter of the processor time of a step of ``quick``. The price is a tenth
    more resident memory. Where there is no glibc, or on a GPU, nothing is done.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" and device.type == "cpu" else None
    if not hasattr(libc, "mallopt"):
        yield
        return
    libc.mallopt(MMAP_MAX, 0)
    libc.mallopt(TRIM_THRESHOLD, -1)
    try:
        yield
    finally:
        for parameter, value in USUAL.items():
            libc.mallopt(parameter, value)
        libc.malloc_trim(0)
