"""Compilation of Numba kernels for the CPU, and the threads that run them.

The kernels release the interpreter's lock and run in Python threads, as many as PyTorch uses. Numba's own threads do
not support being started from two threads at once, nor a fork.
"""

import contextlib
import inspect
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from itertools import pairwise
from threading import Barrier
from typing import Any

import numba
import torch
from numba.core.caching import FunctionCache
from numba.core.dispatcher import Dispatcher

# sums may be reordered, which is what vectorises a dot product; NaN and infinity keep their meaning
_ORDERLESS = {"reassoc", "contract", "nsz"}


class _Cache(FunctionCache):
    """A cache of machine code on disk. Damaged entries are compiled and written again; failed writes are ignored."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # a damaged pickle raises anything
            with contextlib.suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with contextlib.suppress(OSError):
            super().save_overload(sig, data)


def compiled(function: Callable) -> Callable:
    """Decorate a function to be compiled by Numba; the machine code is cached on disk where possible."""
    function = inspect.unwrap(function)  # the shape checks that tests put around functions
    kernel: Any = numba.njit(function, nogil=True, fastmath=_ORDERLESS, boundscheck=False, error_model="numpy")
    if isinstance(kernel, Dispatcher):  # not where NUMBA_DISABLE_JIT is set
        with contextlib.suppress(RuntimeError):  # no writable folder
            setattr(kernel, "_cache", _Cache(function))  # noqa: B010 - Numba has no other way
    return kernel


def in_threads(count: int, work: Callable[[int, int], None], *, calls_torch: bool = False) -> None:
    """Call `work(begin, end)` on parts of range(count) in as many threads as PyTorch has.

    Args:
        count: number of items.
        work: processes the items `begin` <= i < `end`.
        calls_torch: whether `work` calls operations of PyTorch, which then have one thread each. The calling thread
            only waits: to limit it to one thread, a setting of the whole process would have to change, which threads
            that others start meanwhile would take over and keep.
    """
    available = torch.get_num_threads()
    threads = min(available, count)
    if threads <= 1:
        return work(0, count)
    own, *bounds = pairwise([count * i // threads for i in range(threads + 1)])
    if calls_torch:
        bounds = [own, *bounds]
    submit = _pool(os.getpid(), available).submit
    parts = [submit(work, *bound) for bound in bounds]
    try:
        if not calls_torch:
            work(*own)
    finally:
        faults = [part.exception() for part in parts]  # waits for the part
    for fault in filter(None, faults):
        raise fault


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Return the thread pool, which is kept between calls; a forked process gets its own, as it has none of its
    parent's threads."""
    pool = ThreadPoolExecutor(threads)
    together = Barrier(threads)

    def begin(first: bool) -> None:
        torch.get_num_threads()  # a thread takes over the setting of the process at its first call, and not later
        if first:
            _second_team()
        torch.set_num_threads(1)
        together.wait()  # so that each thread of the pool runs `begin` once

    wait([pool.submit(begin, i == 0) for i in range(threads)])
    torch.set_num_threads(threads)  # new threads take over the last setting
    return pool


def _second_team() -> None:
    """Make PyTorch's idle threads sleep at once.

    GNU's OpenMP lets them spin for milliseconds, on a core that one of our threads waits for, unless it has started
    more threads than there are cores (`do_spin` in its wait.h). Threads started from another thread count as well.
    """
    torch.set_num_threads(2)
    torch.zeros(2**17)  # large enough to be divided among threads
