"""Copy random numbers that were drawn on the CPU to the device that uses them."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor


def on(device: torch.device, values: Sequence | np.ndarray, kind: type = np.float32) -> Shaped[Tensor, "..."]:
    """Return nested lists or an array as a tensor on a device; the copy to a GPU is asynchronous."""
    tensor = torch.from_numpy(np.asarray(values, dtype=kind))
    if device.type == "cuda":
        # only a copy from pinned memory is asynchronous
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
