"""Make PyTorch usable in processes forked from one in which it has computed."""

import os
from functools import cache

import torch


@cache
def outlive_forks() -> None:
    """Let processes forked from now on compute with PyTorch, each with one thread.

    A forked process has none of its parent's threads, and OpenMP would wait for them for ever. For the same reason the
    process must not ask for more than one thread.
    """
    if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
        os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))
