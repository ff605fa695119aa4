"""Bring frames to a size that a network takes, and flow back to the size of the frames. Padding is done here only."""

from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from opticflow.ops.resizing import resize, resize_flow
from opticflow.shapes import Flow, Frames


@dataclass(frozen=True)
class Fitting:
    """The conversion between frames of one size and a network that takes multiples of `stride`.

    In mode `pad`, frames are resized by `scale`, then padded to a multiple of the stride by replicating the border. In
    mode `resize`, they are stretched to the same size instead (as Caffe's run-flownet.py does).
    """

    height: int
    width: int
    stride: int = 1
    min_size: int = 1
    mode: Literal["pad", "resize"] = "pad"
    padding: str = "center"
    """`center`: half on each side (RAFT's InputPadder for Sintel); `bottom`: all vertical padding below (for KITTI)."""
    scale: float = 1.0

    @property
    def _scaled(self) -> tuple[int, int]:
        return max(1, round(self.height * self.scale)), max(1, round(self.width * self.scale))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the network's input."""
        height, width = (-(-max(side, self.min_size) // self.stride) * self.stride for side in self._scaled)
        return height, width

    @property
    def _margins(self) -> tuple[int, int, int, int]:
        """Padding on the left, right, top and bottom."""
        (height, width), (full_height, full_width) = self._scaled, self.size
        missing_rows, missing_columns = full_height - height, full_width - width
        left = missing_columns // 2
        top = missing_rows // 2 if self.padding == "center" else 0
        return left, missing_columns - left, top, missing_rows - top

    def fit(self, frames: Frames) -> Float[Tensor, "batch 3 fitted_height fitted_width"]:
        """Resize and pad frames to the network's size."""
        if self.mode == "resize":
            return resize(frames, self.size)
        return self._pad(resize(frames, self._scaled))

    def restore(self, flow: Float[Tensor, "batch 2 fitted_height fitted_width"]) -> Flow:
        """Crop and resize the network's flow to the size and the pixels of the frames."""
        if self.mode == "pad":
            left, right, top, bottom = self._margins
            flow = flow[:, :, top : flow.shape[2] - bottom, left : flow.shape[3] - right]
        return resize_flow(flow, (self.height, self.width))

    def fit_flow(self, flow: Flow) -> Float[Tensor, "batch 2 fitted_height fitted_width"]:
        """Resize and pad a flow of the frames' size to the network's size, as initial flow."""
        if self.mode == "resize":
            return resize_flow(flow, self.size)
        return self._pad(resize_flow(flow, self._scaled))

    def _pad(self, image: Tensor) -> Tensor:
        return F.pad(image, self._margins, mode="replicate") if any(self._margins) else image
