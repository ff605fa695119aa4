"""A lock on an output folder, for one process at a time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from opticflow.errors import InputError


@contextmanager
def only_one(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Return a context that no other process or thread enters for the same folder at the same time.

    The operating system holds the lock, on the folder itself. It leaves no file and ends with the process, however that
    ends. Windows and some network file systems have no such lock; there the context does nothing.

    Raises:
        InputError: another process or thread holds the lock.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            # without waiting (LOCK_NB), because the other run may take hours
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                f"another run is writing to {Path(folder)}; wait until it has ended, or choose another folder"
            ) from error
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        # this also releases the lock
        os.close(descriptor)
