"""Variational refinement of the flow of any method."""

import cv2
import numpy as np
import torch

from opticflow.models.classical import grey_bytes
from opticflow.models.network import Encoded, FlowNetwork, WrappedNetwork
from opticflow.shapes import Flow, Frames

PASSES = 5
"""Number of passes. FlowNet uses 20 from a quarter of the size up, then 5 at full size; here the initial flow already
has full size."""
MULTIPLY_ADDS = PASSES * 5 * 230
"""Approximate multiply-adds per pixel: in each pass OpenCV linearises five times (130) and then relaxes both components
five times (20 each time)."""
BYTES = 200.0
"""Bytes per pixel: 136 measured for OpenCV's work, and copies of the flow."""


class VariationalRefinement(WrappedNetwork):
    """A method followed by a variational refinement that starts from its flow: the "+v" of FlowNet (section 3).

    The energy is that of Brox et al., "High accuracy optical flow estimation based on a theory for warping", ECCV 2004,
    as OpenCV minimises it: on the CPU, at full resolution, on grey frames, with the same smoothness everywhere. It has
    no gradient.

    Args:
        network: the method.
        passes: number of passes; each warps the second frame by the present flow and improves the flow.
    """

    use = "variational refinement"

    def __init__(self, network: FlowNetwork, passes: int = PASSES) -> None:
        super().__init__(network)
        self.passes = passes
        self.min_size = max(4, network.min_size)
        self.outside_bytes = max(BYTES, network.outside_bytes)  # used one after the other, not at once
        self.outside_multiply_adds += MULTIPLY_ADDS

    def encode(self, frames: Frames) -> Encoded:
        self.must_take(frames)
        return {**self.network.encode(frames), "refinement_grey": grey_bytes(frames)}

    def match(
        self, first: Encoded, second: Encoded, *, init_flow: Flow | None = None, iterations: int | None = None
    ) -> Flow:
        flow = self.network.match(first, second, init_flow=init_flow, iterations=iterations).float()
        if flow.is_meta:
            return flow
        greys = (encoded["refinement_grey"].cpu().numpy() for encoded in (first, second))
        flows = flow.detach().permute(0, 2, 3, 1).cpu().numpy()
        refined = [torch.from_numpy(self._refine(*one)) for one in zip(*greys, flows, strict=True)]
        return torch.stack(refined).permute(0, 3, 1, 2).to(flow.device)

    def _refine(self, first: np.ndarray, second: np.ndarray, start: np.ndarray) -> np.ndarray:
        flow, method = start.copy(), cv2.VariationalRefinement.create()
        for _ in range(self.passes):
            flow = method.calc(first, second, flow)
        return flow
