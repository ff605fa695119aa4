"""Where loops compiled by Numba or Triton can take the place of PyTorch's operations, and how they want images."""

import subprocess
from contextlib import AbstractContextManager
from functools import cache

import torch
from jaxtyping import Shaped
from torch import Tensor


def compiled_for(tensor: Tensor) -> bool:
    """Whether a tensor is one for compiled loops: on a CPU, in a format that both know, and not being traced."""
    return (
        tensor.device.type == "cpu"
        and tensor.dtype in (torch.float32, torch.float64)
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
        and type(tensor) in (Tensor, torch.nn.Parameter)
        and numba_is_there()
    )


@cache
def numba_is_there() -> bool:
    """Whether loops can be compiled on this machine."""
    try:
        from opticflow.ops import compiled  # noqa: F401
    except ImportError:
        return False
    return True


def triton_for(tensor: Tensor) -> bool:
    """Whether a tensor is one for Triton's kernels."""
    on_gpu = tensor.device.type == "cuda"
    return on_gpu and torch.cuda.get_device_capability(tensor.device) >= (7, 0) and triton_is_there()


@cache
def triton_is_there() -> bool:
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
    """With the values of a pixel beside each other, and nothing between them."""
    return image.permute(0, 2, 3, 1).contiguous()


def full_precision(tensor: Shaped[Tensor, "..."]) -> AbstractContextManager:
    """A context in which autocast leaves alone what is done with a tensor on its device."""
    device = tensor.device.type
    return torch.autocast("cpu" if device == "meta" else device, enabled=False)
