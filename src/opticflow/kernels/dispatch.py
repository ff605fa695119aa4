"""Which kernel computes an operation: a loop compiled by Numba, one of Triton's, or PyTorch's own; and how they want
images."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache

import torch
from jaxtyping import Shaped
from torch import Tensor

_reference = threading.local()


@contextmanager
def reference_kernels() -> Iterator[None]:
    """In this block, this thread computes everything in the plain form that reference implementations have: PyTorch's
    own convolutions and norms, and RAFT's correlation from the volume of all pairs, each value sampled by itself. What
    is fast is compared with it, in tests and by `opticflow benchmark`."""
    before = reference_is_asked()
    _reference.asked = True
    try:
        yield
    finally:
        _reference.asked = before


def reference_is_asked() -> bool:
    """Whether this thread is in a block of `reference_kernels`."""
    return getattr(_reference, "asked", False)


def supports_numba(tensor: Tensor) -> bool:
    """Whether a tensor is one for compiled loops: on a CPU, in a format that both know, and not being traced."""
    return (
        tensor.device.type == "cpu"
        and tensor.dtype in (torch.float32, torch.float64)
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
        and type(tensor) in (Tensor, torch.nn.Parameter)
        and not reference_is_asked()
        and has_numba()
    )


@cache
def has_numba() -> bool:
    """Whether loops can be compiled on this machine."""
    try:
        from opticflow.kernels import numba_runtime  # noqa: F401
    except ImportError:
        return False
    return True


def supports_triton(tensor: Tensor) -> bool:
    """Whether a tensor is one for Triton's kernels."""
    # Triton needs compute capability 7.0 (Volta) or newer
    on_gpu = tensor.device.type == "cuda"
    return on_gpu and torch.cuda.get_device_capability(tensor.device) >= (7, 0) and has_triton()


@cache
def has_triton() -> bool:
    """Whether Triton works: its driver is compiled at the first use, by the C compiler of the machine."""
    try:
        from triton.runtime import driver  # pyright: ignore[reportMissingImports]

        driver.active.get_current_target()
    except (ImportError, OSError, RuntimeError, subprocess.CalledProcessError):
        return False
    return True


def channels_last(
    image: Shaped[Tensor, "batch channels height width"],
) -> Shaped[Tensor, "batch height width channels"]:
    """An image in channels-last order, contiguous."""
    return image.permute(0, 2, 3, 1).contiguous()


def full_precision(tensor: Shaped[Tensor, "..."]) -> AbstractContextManager:
    """A context in which autocast leaves alone what is done with a tensor on its device."""
    device = tensor.device.type
    return torch.autocast("cpu" if device == "meta" else device, enabled=False)
