"""Let the process keep freed memory for the next tensor."""

import ctypes
import os
import platform

KEPT = 36 * 2**20
"""Bytes of the largest tensor whose memory is kept: features of 1024x436 at half its size. With 128 MB, RAFT would take
a third more memory at 1920x1080, as larger blocks fit into each other's places more rarely."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of malloc.h
_SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def keep_freed_memory() -> bool:
    """Make the C library keep freed memory instead of returning it to the system, which would then have to provide new
    pages.

    Those cost RAFT-small a tenth of its time at 1024x436. For a whole process, and thus for the program that owns it to
    decide: `opticflow` does, a program that imports this package may. What the user has set in the environment stays.

    Returns:
        Whether it now does; GNU's C library alone can.
    """
    if platform.libc_ver()[0] != "glibc" or any(name in os.environ for name in _SETTINGS):
        return False
    library = ctypes.CDLL(None)
    return bool(library.mallopt(_MMAP_THRESHOLD, KEPT) and library.mallopt(_TRIM_THRESHOLD, 2**31 - 1))
