"""Where the loops compiled by Numba can take the place of PyTorch's operations."""

from functools import cache

import torch
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
