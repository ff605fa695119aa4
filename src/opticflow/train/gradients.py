"""The update of the weights, which skips gradients that are not finite."""

import math
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn


def update(
    fabric: Any, network: nn.Module, optimiser: Any, clip: float | None
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Clip the norm of the whole gradient, and update the weights if it is finite.

    If not, nothing changes: neither the weights nor what the optimiser keeps, the number of its steps included. That is
    decided on the device, so that the steps of a GPU are queued without waiting; all processes decide alike, as they
    share the gradient.

    Args:
        fabric: see `devices.launch`.
        network: as `fabric.setup` gave it, after `fabric.backward`.
        optimiser: Adam or AdamW with `fused=True`, as `fabric.setup` gave it.
        clip: the largest norm; None for any.

    Returns:
        The norm before it was clipped; 1 if the update was left out, else 0. On the device: reading them waits for it.
    """
    # L2 norm over all parameters, a scalar on the device; with an infinite limit nothing is clipped
    norm = fabric.clip_gradients(network, optimiser, max_norm=clip or math.inf, error_if_nonfinite=False)
    left_out = norm.isfinite().logical_not().float()  # 1.0 or 0.0, still on the device
    # what torch.amp.GradScaler uses too: the fused kernels read it on the device
    optimiser.optimizer.found_inf = left_out
    optimiser.step()
    return norm, left_out
