"""Memory that is freed and taken again."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, torch
from opticflow.runtime.malloc import KEPT, keep_freed_memory
print({keep} and keep_freed_memory())
def faults(size):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    tensors = [torch.empty(size, dtype=torch.uint8).fill_(1) for _ in range(4)]
    del tensors
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
small, large = KEPT - 2**21, 2 * KEPT  # by itself the library keeps 32 MB at most
for size in small, large:
    print(min(faults(size) for _ in range(8)) * resource.getpagesize() / size / 4)
"""

linux = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not GNU's")


def run(keep, **environment):
    command = [sys.executable, "-c", PROGRAM.format(keep=keep)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    kept, small, large = done.stdout.split()
    return kept == "True", float(small), float(large)


@linux
def test_pages_are_asked_for_once():
    assert run(keep=False)[1] > 0.5  # what the C library does by itself, so that the next line can fail
    kept, small, large = run(keep=True)
    assert kept and small < 0.1
    assert large > 0.5  # too large to be kept


@linux
def test_what_the_user_has_set_stays():
    assert run(keep=True, MALLOC_TRIM_THRESHOLD_="1000000")[0] is False
