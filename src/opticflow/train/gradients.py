"""The update of the weights, which skips gradients that are not finite."""

import math
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn


def update(
    fabric: Any, network: nn.Module, optimiser: Any, clip: float | None
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Clip the norm of the whole gradient, and update the weights if it is finite.

    If it is not finite, neither the weights nor the state of the optimiser change, including its number of steps. This
    is decided on the device, so that a GPU's steps are queued without waiting. All processes decide alike, because they
    share the gradient.

    Args:
        fabric: see `devices.launch`.
        network: returned by `fabric.setup`, after `fabric.backward`.
        optimiser: Adam or AdamW with `fused=True`, returned by `fabric.setup`.
        clip: the largest norm; None: no clipping.

    Returns:
        The norm before clipping; and 1 if the update was skipped, otherwise 0. Both are on the device: reading them
        waits for it.
    """
    # L2 norm over all parameters, a scalar on the device; with an infinite limit nothing is clipped
    norm = fabric.clip_gradients(network, optimiser, max_norm=clip or math.inf, error_if_nonfinite=False)
    left_out = norm.isfinite().logical_not().float()  # 1.0 or 0.0, still on the device
    # what torch.amp.GradScaler uses too: the fused kernels read it on the device
    optimiser.optimizer.found_inf = left_out
    optimiser.step()
    return norm, left_out
