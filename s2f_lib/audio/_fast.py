"""What makes the spectrogram fast: ``sgn(x) |x| ** 0.3`` by the bits of the float, and threads that do not wait."""

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

POWER = 0.3  # of the compression
EPS = 1e-10  # below this the compression is linear, so that its slope at 0 is finite


def gain(x: Tensor) -> Tensor:
    """What to multiply by for ``sgn(x) |x| ** 0.3``: ``|x| ** -0.7``, by the logarithm, far faster than pow."""
    return x.abs().clamp(min=EPS).log2().mul(POWER - 1).exp2()


def with_torch(x: np.ndarray, out: np.ndarray) -> None:
    np.multiply(x, gain(torch.from_numpy(x)).numpy(), out=out)


@functools.cache
def kernel() -> Callable[[np.ndarray, np.ndarray], None]:
    """``out = sgn(x) |x| ** 0.3``, compiled (about 1 s, kept on disk); by torch where numba cannot be used.

    For ``g = |x|`` take ``z``, about ``g ** -0.3``, from the bits of the float: they are nearly a logarithm, so -0.3
    times the bits of g are nearly those of the power. ``1 + w = g ** 3 * z ** 10`` would be 1 if z were exact; w lies
    between -0.29 and 0.42. Then ``g ** -0.7 = g ** 2 * z ** 9 * (1 + w) ** -0.9``, the last factor by a polynomial. The
    result is right within 5e-7 of itself; the way by the logarithm, which float32 rounds, within 2e-6.
    """
    factor = np.polynomial.Chebyshev.interpolate(lambda w: (1 + w) ** -0.9, 9, domain=(-0.29, 0.42))
    c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 = factor.convert(kind=np.polynomial.Polynomial).coef.astype(np.float32)
    bits, slope = np.float32((1.3 * 127 - 0.0621) * 2**23), np.float32(POWER)  # 0.0621 centres w
    one, eps = np.float32(1), np.float32(EPS)

    def compress(x, out):
        for i in range(len(x)):
            g = np.float32(max(abs(x[i]), eps))
            z = np.int32(bits - slope * np.float32(g.view(np.int32))).view(np.float32)
            z3 = z * z * z
            g2z6 = (g * z3) * (g * z3)
            w = g2z6 * (g * z3) * z - one
            p = (((c9 * w + c8) * w + c7) * w + c6) * w + c5
            p = ((((p * w + c4) * w + c3) * w + c2) * w + c1) * w + c0
            out[i] = x[i] * (g2z6 * z3 * p)

    try:
        from numba import njit

        return njit(cache=True, fastmath=True, error_model="numpy", nogil=True)(compress)
    except (ImportError, RuntimeError):  # not there, or not for this numpy; or no folder to keep it in
        return with_torch


@functools.cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Threads in which torch starts none; a forked process, which inherits no thread, gets its own."""
    return ThreadPoolExecutor(threads, "spectrogram", torch.set_num_threads, (1,))


def in_threads(work: Callable[[int], None], pieces: int) -> None:
    """Call `work` once in each of the threads that torch may use, of which no more than there are pieces of work."""
    allowed = torch.get_num_threads()
    if min(allowed, pieces) <= 1:
        work(0)
        return
    list(_pool(os.getpid(), allowed).map(work, range(min(allowed, pieces))))
    torch.set_num_threads(allowed)  # what a thread of the pool sets also holds for threads that begin later
