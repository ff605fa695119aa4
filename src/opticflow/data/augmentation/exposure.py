"""Motion blur: what an open shutter does to frames whose motion is known."""

from dataclasses import dataclass, replace

import numpy as np

from opticflow.data.augmentation.steps import Step
from opticflow.ops.projection import project_forward
from opticflow.scenes.effects import motion_blur
from opticflow.shapes import FlowArray, Frame, Sample, flow_array, flow_tensor

CELL = 4
"""Pixels of the blocks in which motion is carried to the second frame."""


@dataclass(frozen=True)
class Streaks:
    """The exposure that a `MotionBlur` has drawn for both frames."""

    shutter: float
    """How long the shutter is open, as a share of the time between the frames."""
    longest: float
    """Length of the longest streak, in pixels."""

    def apply(self, sample: Sample) -> Sample:
        """The sample with both frames blurred; where flow is not known nothing moves."""
        motion = np.where(sample.valid[..., None], sample.flow, np.float32(0))  # H x W x 2, pixels
        # H x W x 2, the motion of what the second frame shows
        arrived = flow_array(project_forward(flow_tensor(motion), cell=CELL))
        return sample.replace(first=self._blurred(sample.first, motion), second=self._blurred(sample.second, arrived))

    def _blurred(self, frame: Frame, motion: FlowArray) -> Frame:
        # H x W x 3, grey levels
        blurred = motion_blur(frame.astype(np.float32), motion * np.float32(self.shutter), self.longest)
        return np.clip(np.rint(blurred), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class MotionBlur(Step):
    """Streaks along the motion. They are centred, so that the flow stays true for the middle of the exposures.

    Geometry that makes motion faster leaves pictures sharp that no camera would take so.
    """

    probability: float
    shutter: tuple[float, float] = (0.1, 0.6)
    """How long it is open, as a share of the time between the frames: shortest and longest."""
    longest: float = 96
    """Pixels; a longer streak is cut."""

    def draw(self, rng: np.random.Generator) -> Streaks | None:
        """The shutter's time; none where the frames stay sharp."""
        if rng.random() >= self.probability:
            return None
        return Streaks(rng.uniform(*self.shutter), self.longest)

    def scaled_down(self, share: float) -> "MotionBlur":
        """The same with a share of its shutter's times."""
        return replace(self, shutter=(share * self.shutter[0], share * self.shutter[1]))
