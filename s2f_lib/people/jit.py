"""One numba decorator for the renderer's kernels, with a compile cache that also works from a read-only install.

numba keeps compiled code beside the source file. Where that folder cannot be written (a system-wide install, a
container image), the cache goes to ``$S2F_HOME/numba`` instead. The choice is made before numba is first imported
here; a ``NUMBA_CACHE_DIR`` that is already set is respected.

numba looks only at the file of the kernel to see whether compiled code is out of date: who changes a helper in `paint`
removes ``__pycache__/shading.*.nb*`` and ``accessories/__pycache__/draw.*.nb*``, or sees the old pixels.
"""

import os
from pathlib import Path

from s2f_lib.io.files import cache_dir

if "NUMBA_CACHE_DIR" not in os.environ and not os.access(Path(__file__).parent, os.W_OK):
    os.environ["NUMBA_CACHE_DIR"] = str(cache_dir() / "numba")

import numba

numba.config.CACHE_DIR = os.environ.get("NUMBA_CACHE_DIR", numba.config.CACHE_DIR)

jit = numba.njit(cache=True, fastmath=True, error_model="numpy")

# For small helpers of a kernel: copied into the caller, so that no array is counted in and out for every pixel.
inline_jit = numba.njit(cache=True, fastmath=True, error_model="numpy", inline="always")
