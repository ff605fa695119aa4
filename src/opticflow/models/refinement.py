"""Variational refinement after any method."""

import cv2
import torch

from opticflow.models.classical import grey_bytes
from opticflow.models.network import Encoded, FlowNetwork
from opticflow.shapes import Flow, Frames


class VariationalRefinement(FlowNetwork):
    """A method, followed by a variational one that starts from its flow: the "+v" of FlowNet (section 4.4).

    The energy is that of Brox et al., "High accuracy optical flow estimation based on a theory for warping", ECCV 2004,
    as OpenCV minimises it: on the CPU, at full resolution, on grey frames.
    """

    def __init__(self, network: FlowNetwork):
        super().__init__()
        self.network = network
        self.stride, self.min_size, self.fitting = network.stride, max(4, network.min_size), network.fitting

    def encode(self, frames: Frames) -> Encoded:
        return {**self.network.encode(frames), "refinement_grey": grey_bytes(frames)}

    def match(self, first: Encoded, second: Encoded, *, init_flow: Flow | None = None) -> Flow:
        flow = self.network.match(first, second, init_flow=init_flow).float()
        greys = (encoded["refinement_grey"].cpu().numpy() for encoded in (first, second))
        refined = []
        for one, grey_first, grey_second in zip(flow.permute(0, 2, 3, 1).cpu().numpy(), *greys, strict=True):
            start = one.copy()
            refined.append(torch.from_numpy(cv2.VariationalRefinement.create().calc(grey_first, grey_second, start)))
        return torch.stack(refined).permute(0, 3, 1, 2).to(flow.device)
