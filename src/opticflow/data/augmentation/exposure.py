"""Motion blur augmentation: the effect of the exposure time on frames with known flow."""

from dataclasses import dataclass, replace

import numpy as np

from opticflow.data.augmentation.steps import Step
from opticflow.ops.projection import project_forward
from opticflow.scenes.effects import motion_blur
from opticflow.shapes import FlowArray, Frame, Sample, flow_array, flow_tensor

CELL = 4
"""Side in pixels of the cells in which flow is projected forwards to the second frame."""


@dataclass(frozen=True)
class Streaks:
    """Parameters of the motion blur that a `MotionBlur` has drawn for both frames."""

    shutter: float
    """Exposure time, as a share of the time between the frames."""
    longest: float
    """Length of the longest blur, in pixels."""

    def apply(self, sample: Sample) -> Sample:
        """Return the sample with both frames blurred; where the flow is unknown, nothing is blurred."""
        motion = np.where(sample.valid[..., None], sample.flow, np.float32(0))  # H x W x 2, pixels
        # H x W x 2, the motion of the surfaces in the second frame
        arrived = flow_array(project_forward(flow_tensor(motion), cell=CELL))
        return sample.replace(first=self._blurred(sample.first, motion), second=self._blurred(sample.second, arrived))

    def _blurred(self, frame: Frame, motion: FlowArray) -> Frame:
        # H x W x 3, grey levels
        blurred = motion_blur(frame.astype(np.float32), motion * np.float32(self.shutter), self.longest)
        return np.clip(np.rint(blurred), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class MotionBlur(Step):
    """Motion blur along the flow, centred on each pixel, so that the flow stays true for the middle of the exposures.

    Spatial augmentation can make the motion faster; without blur, the frames would be sharper than those of a camera.
    """

    probability: float
    shutter: tuple[float, float] = (0.1, 0.6)
    """Shortest and longest exposure time, as a share of the time between the frames."""
    longest: float = 96
    """Length of the longest blur, in pixels."""

    def draw(self, rng: np.random.Generator) -> Streaks | None:
        """Draw the exposure time; None if the frames stay sharp."""
        if rng.random() >= self.probability:
            return None
        return Streaks(rng.uniform(*self.shutter), self.longest)

    def scaled_down(self, share: float) -> "MotionBlur":
        """Return this distribution with its exposure times multiplied by `share`."""
        return replace(self, shutter=(share * self.shutter[0], share * self.shutter[1]))
