"""What every synthetic world yields: two frames and everything that is true of them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from opticflow.shapes import FlowArray, Frame, MaskArray, Sample

InstanceMap = Int[np.ndarray, "height width"]


@dataclass(frozen=True)
class RenderedPair:
    """Two frames of a synthetic world, with exact flow in both directions.

    The flow at a pixel is that of the surface seen at the pixel's centre; it is known everywhere.
    """

    first: Frame
    second: Frame
    forward: FlowArray
    """From the first frame to the second."""
    backward: FlowArray
    """From the second frame to the first."""
    first_occluded: MaskArray
    """Pixels of the first frame that are hidden, or out of view, in the second."""
    second_occluded: MaskArray
    """Pixels of the second frame that are hidden, or out of view, in the first."""
    first_instances: InstanceMap
    """Which object is seen at the pixel of the first frame; 0 is the background."""
    second_instances: InstanceMap
    """Which object is seen at the pixel of the second frame."""
    name: str = ""
    """World, seed and index, for messages."""

    def sample(self) -> Sample:
        """The pair with its forward flow."""
        valid = np.ones(self.forward.shape[:2], dtype=bool)
        return Sample(self.first, self.second, self.forward, valid, self.first_occluded, self.name)

    def reversed(self) -> "RenderedPair":
        """The same pair with time running backwards."""
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
