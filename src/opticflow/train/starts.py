"""The flow from which the network's iterations start in training: zero, or the network's own coarse estimate.

`CoarseToFine` starts the iterations from the flow of smaller frames. A network that was only trained to start from zero
degrades such an initial flow where the match is ambiguous, so a share of the training steps starts from one.
"""

from typing import Any

import torch

from opticflow.data.order import is_chosen
from opticflow.models import CoarseToFine, LearnedNetwork
from opticflow.shapes import Flow, Frames
from opticflow.train import curriculum
from opticflow.train.recipe import Stage


def starts_coarse(stage: Stage, step: int) -> bool:
    """Whether the iterations of this step start from a coarse estimate."""
    return is_chosen(step, stage.coarse_starts)


def coarse_start(network: LearnedNetwork, stage: Stage, first: Frames, second: Frames, fabric: Any) -> Flow:
    """Return the network's estimate for the frames at half their size, upsampled; without gradients.

    Args:
        network: in training mode, before and after.
        stage: has the frozen parts and the number of iterations.
        first: first frames.
        second: second frames.
        fabric: has the number format.
    """
    # evaluation mode as in inference, where the network also estimates this flow; batch norms keep their statistics
    network.eval()
    with torch.no_grad(), fabric.autocast():
        # B x 2 x H x W, pixels
        flow = CoarseToFine(network, levels=1).start(first, second, iterations=stage.iterations)
    curriculum.training_mode(network, stage)
    return flow
