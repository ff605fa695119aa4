"""A lock on an output folder, for one process at a time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from opticflow.errors import InputError


@contextmanager
def only_one(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Return a context that no other process or thread enters for the same folder at the same time.

    The lock is the system's, on the folder itself: it leaves no file, and ends with the process however that ends.
    Windows, and some network file systems, have none; there the context does nothing.

    Raises:
        InputError: another is in it.
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
        # this also gives the lock back
        os.close(descriptor)
