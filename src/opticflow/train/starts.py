"""Where the network's iterations start from in training: from zero, or from its own coarse estimate.

`Estimator(coarse_start=True)` starts from the flow of smaller frames. A network that has only ever begun
at zero spoils such a start where it is in doubt; so it meets some in training.
"""

from typing import Any

import torch
import torch.nn.functional as F

from opticflow.data.order import is_chosen
from opticflow.models import LearnedNetwork
from opticflow.ops.resizing import resize_flow
from opticflow.shapes import Flow, Frames
from opticflow.train import curriculum
from opticflow.train.recipe import Stage


def starts_coarse(stage: Stage, step: int) -> bool:
    """Whether the iterations of this step start from a coarse estimate."""
    return is_chosen(step, stage.coarse_starts)


def coarse_start(network: LearnedNetwork, stage: Stage, first: Frames, second: Frames, fabric: Any) -> Flow:
    """The network's estimate for the frames at half their size, enlarged; without a gradient.

    Args:
        network: in training mode, in which it is left.
        stage: tells which of its parts are trained.
        first: first frames.
        second: second frames.
        fabric: gives the number format.
    """
    stride = network.stride
    height, width = (max(network.min_size, round(side / 2 / stride) * stride) for side in first.shape[-2:])
    small = [F.interpolate(frames, (height, width), mode="area") for frames in (first, second)]
    network.eval()
    with torch.no_grad(), fabric.autocast():
        flow = network(*small)
    curriculum.training_mode(network, stage)
    return resize_flow(flow.float(), (first.shape[-2], first.shape[-1]))
