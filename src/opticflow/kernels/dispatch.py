"""Choose the kernel of an operation: Numba's, Triton's or PyTorch's own, and the memory layout that they need."""

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
    """Return a context in which this thread computes everything in the plain form: PyTorch's own convolutions and
    norms, and RAFT's correlation from the volume of all pairs, each value sampled separately. The fast forms are
    compared with it in tests and by `opticflow benchmark`."""
    before = reference_is_asked()
    _reference.asked = True
    try:
        yield
    finally:
        _reference.asked = before


def reference_is_asked() -> bool:
    """Return whether this thread is in a context of `reference_kernels`."""
    return getattr(_reference, "asked", False)


def supports_numba(tensor: Tensor) -> bool:
    """Return whether Numba kernels can compute with a tensor: it is on a CPU, of a supported type, and not being
    traced."""
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
    """Return whether Numba works on this machine."""
    try:
        from opticflow.kernels import numba_runtime  # noqa: F401
    except ImportError:
        return False
    return True


def supports_triton(tensor: Tensor) -> bool:
    """Return whether Triton kernels can compute with a tensor."""
    # Triton needs compute capability 7.0 (Volta) or newer
    on_gpu = tensor.device.type == "cuda"
    return on_gpu and torch.cuda.get_device_capability(tensor.device) >= (7, 0) and has_triton()


@cache
def has_triton() -> bool:
    """Return whether Triton works: its driver is compiled at the first use, by the machine's C compiler."""
    try:
        from triton.runtime import driver  # pyright: ignore[reportMissingImports]

        driver.active.get_current_target()
    except (ImportError, OSError, RuntimeError, subprocess.CalledProcessError):
        return False
    return True


def channels_last(
    image: Shaped[Tensor, "batch channels height width"],
) -> Shaped[Tensor, "batch height width channels"]:
    """Return an image in channels-last layout, contiguous."""
    return image.permute(0, 2, 3, 1).contiguous()


def full_precision(tensor: Shaped[Tensor, "..."]) -> AbstractContextManager:
    """Return a context in which autocast does not change operations on the device of a tensor."""
    device = tensor.device.type
    return torch.autocast("cpu" if device == "meta" else device, enabled=False)
