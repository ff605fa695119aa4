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
    """Call `work(begin, end)` on parts of range(count), one for each of PyTorch's threads.

    PyTorch's operations within `work` have one thread each.
    """
    available = torch.get_num_threads()
    threads = min(available, count)
    if threads <= 1:
        return work(0, count)
    bounds = [count * i // threads for i in range(threads + 1)]
    pool = _pool(os.getpid(), threads)
    torch.set_num_threads(1)
    try:
        others = [pool.submit(_alone, work, *bound) for bound in pairwise(bounds[1:])]
        try:
            work(bounds[0], bounds[1])
        finally:
            for other in others:
                other.result()
    finally:
        torch.set_num_threads(available)


def _alone(work: Callable[[int, int], None], begin: int, end: int) -> None:
    torch.set_num_threads(1)  # what other threads have does not hold for one that has just begun
    work(begin, end)


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Kept from call to call; a forked process has none of its parent's threads and gets its own."""
    pool = ThreadPoolExecutor(threads)
    pool.submit(_second_team).result()
    return pool


def _second_team() -> None:
    """Have PyTorch's idle threads sleep at once.

    GNU's OpenMP lets them spin for milliseconds, on the core that a thread of ours waits for, unless it has started
    more threads than there are cores (`do_spin` in its wait.h). What another thread starts counts as well.
    """
    torch.set_num_threads(2)
    torch.zeros(2**17)  # large enough to be shared
