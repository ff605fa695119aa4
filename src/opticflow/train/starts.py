"""The flow from which the network's iterations start in training: zero, or the network's own coarse estimate.

`CoarseToFine` starts from the flow of smaller frames. A network that has only ever begun at zero spoils such a start
where it is in doubt; so it meets some in training.
"""

from typing import Any

import torch

from opticflow.data.order import is_chosen
from opticflow.models import CoarseToFine, LearnedNetwork
from opticflow.shapes import Flow, Frames
from opticflow.train import curriculum
from opticflow.train.recipe import Stage


def starts_coarse(stage: Stage, step: int) -> bool:
    """Return whether the iterations of this step start from a coarse estimate."""
    return is_chosen(step, stage.coarse_starts)


def coarse_start(network: LearnedNetwork, stage: Stage, first: Frames, second: Frames, fabric: Any) -> Flow:
    """Return the network's estimate for the frames at half their size, upsampled; without gradients.

    Args:
        network: in training mode, in which it is left.
        stage: tells which of its parts are trained, and how often it iterates.
        first: first frames.
        second: second frames.
        fabric: gives the number format.
    """
    # as in use, where the network also estimates its starts; batch norms do not learn from this pass
    network.eval()
    with torch.no_grad(), fabric.autocast():
        # B x 2 x H x W, pixels
        flow = CoarseToFine(network, levels=1).start(first, second, iterations=stage.iterations)
    curriculum.training_mode(network, stage)
    return flow
