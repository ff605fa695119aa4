"""Inner loops compiled for the CPU by Numba, and the threads that they run in.

The loops let go of the interpreter's lock and the threads are Python's, as many as PyTorch uses: Numba's own threads
would not bear being started from two threads at once, nor a fork.
"""

import inspect
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import numba
import torch

# sums may be reordered, which is what vectorises a dot product; NaN and infinity keep their meaning
_ORDERLESS = {"reassoc", "contract", "nsz"}


def compiled(function: Callable) -> Callable:
    """A decorator; the machine code is kept on disk where there is a place for it."""
    function = inspect.unwrap(function)  # the shape checks that tests put around functions
    options = {"nogil": True, "fastmath": _ORDERLESS, "boundscheck": False, "error_model": "numpy"}
    try:
        return numba.njit(function, cache=True, **options)
    except RuntimeError:  # there is no place that can be written to
        return numba.njit(function, **options)


def in_threads(count: int, work: Callable[[int, int], None]) -> None:
    """Call `work(begin, end)` on parts of range(count), one for each of PyTorch's threads."""
    threads = min(torch.get_num_threads(), count)
    if threads <= 1:
        return work(0, count)
    bounds = [count * i // threads for i in range(threads + 1)]
    others = [_pool(os.getpid(), threads).submit(work, *bound) for bound in pairwise(bounds[1:])]
    try:
        work(bounds[0], bounds[1])
    finally:
        for other in others:
            other.result()


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Kept from call to call; a forked process has none of its parent's threads and gets its own."""
    return ThreadPoolExecutor(threads)
