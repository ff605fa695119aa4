"""Handling of Ctrl-C while processes are started."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from multiprocessing import resource_tracker


@contextlib.contextmanager
def interrupts_held_back() -> Iterator[None]:
    """Return a context in which started processes leave Ctrl-C to their parent from the beginning; the parent handles
    it when the block ends."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        if hasattr(signal, "pthread_sigmask"):  # not on Windows
            resource_tracker.ensure_running()  # which unblocks the signal where it begins
            # a new process inherits what is blocked; a handler would be replaced by the usual one, which ends it
            blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                yield
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        else:
            yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)
