"""Let the process keep freed memory for the next tensor."""

import ctypes
import os
import platform

KEPT = 36 * 2**20
"""Largest tensor, in bytes, whose memory is kept: features of 1024x436 at half its size. With 128 MB, RAFT would take a
third more memory at 1920x1080, because larger tensors less often fit into the memory that others have left."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # parameters of `mallopt`, from malloc.h
_SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def keep_freed_memory() -> bool:
    """Make the C library keep freed memory instead of returning it to the system, which would then have to provide new
    pages.

    New pages cost RAFT-small a tenth of its time at 1024x436. The setting holds for the whole process, so the program
    that owns the process decides: `opticflow` calls this function, and a program that imports this package may call it.
    What the user has set in the environment stays.

    Returns:
        Whether freed memory is now kept; only GNU's C library (glibc) can do this.
    """
    if platform.libc_ver()[0] != "glibc" or any(name in os.environ for name in _SETTINGS):
        return False
    library = ctypes.CDLL(None)
    return bool(library.mallopt(_MMAP_THRESHOLD, KEPT) and library.mallopt(_TRIM_THRESHOLD, 2**31 - 1))
