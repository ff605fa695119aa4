"""The output of the synthetic worlds: two frames and their complete ground truth."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from opticflow.shapes import FlowArray, Frame, MaskArray, Sample

InstanceMap = Int[np.ndarray, "height width"]


@dataclass(frozen=True)
class RenderedPair:
    """Two frames of a synthetic world, with exact flow in both directions.

    The flow at a pixel is the flow of the surface that is visible at the centre of the pixel. It is known everywhere.
    """

    first: Frame
    second: Frame
    forward: FlowArray
    """Flow from the first frame to the second."""
    backward: FlowArray
    """Flow from the second frame to the first."""
    first_occluded: MaskArray
    """Mask of the pixels of the first frame that are occluded, or out of view, in the second."""
    second_occluded: MaskArray
    """Mask of the pixels of the second frame that are occluded, or out of view, in the first."""
    first_instances: InstanceMap
    """Number of the object visible at each pixel of the first frame; 0 is the background."""
    second_instances: InstanceMap
    """Number of the object visible at each pixel of the second frame; 0 is the background."""
    name: str = ""
    """World, seed and index of the pair, for messages."""

    def sample(self) -> Sample:
        """Return the pair as a `Sample` with its forward flow."""
        valid = np.ones(self.forward.shape[:2], dtype=bool)
        return Sample(self.first, self.second, self.forward, valid, self.first_occluded, self.name)

    def reversed(self) -> "RenderedPair":
        """Return the same pair with time reversed."""
        return RenderedPair(
            first=self.second,
            second=self.first,
            forward=self.backward,
            backward=self.forward,
            first_occluded=self.second_occluded,
            second_occluded=self.first_occluded,
            first_instances=self.second_instances,
            second_instances=self.first_instances,
            name=f"{self.name} reversed",
        )
