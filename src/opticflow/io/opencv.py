"""Silence OpenCV's log, which its decoders write to stderr."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cv2.utils import logging

_lock = threading.Lock()
_users, _level = 0, 0


@contextmanager
def quiet() -> Iterator[None]:
    """Return a context in which OpenCV does not log what is wrong with a file, because our error says it.

    The log level belongs to the whole process. It is restored when the last thread has left the context.
    """
    global _users, _level
    with _lock:
        _users += 1
        if _users == 1:
            _level = logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                logging.setLogLevel(_level)
