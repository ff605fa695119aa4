"""The classical methods, as baselines for the networks.

Lucas-Kanade and Horn-Schunck are written out, as textbooks have them; Farneback and DIS are OpenCV's.
"""

from abc import abstractmethod

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from opticflow.errors import InputError
from opticflow.models.network import Encoded, FlowNetwork
from opticflow.ops.resizing import resize_flow
from opticflow.ops.warp import warp
from opticflow.shapes import Flow, Frames

Grey = Float[Tensor, "batch 1 height width"]


def grey(frames: Frames) -> Grey:
    """Return the luma of ITU-R BT.601, which is OpenCV's grey, from 0 to 255."""
    return (frames * frames.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True) * 255


def grey_bytes(frames: Frames) -> UInt8[Tensor, "batch height width"]:
    """Convert frames to 8-bit grey, bit for bit as OpenCV does for its methods. Gradients do not pass through.

    Raises:
        InputError: the network is being exported or compiled.
    """
    if torch.compiler.is_compiling() or torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
        raise InputError(
            "methods and refinement by OpenCV cannot be exported or compiled; for a network alone take "
            "`load(NAME, refine=False).network`"
        )
    if frames.is_meta:
        return frames.new_empty((len(frames), *frames.shape[2:]), dtype=torch.uint8)
    colours = frames.detach().mul(255).round_().to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()
    greys = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in colours])
    return torch.from_numpy(greys).to(frames.device)


class LucasKanade(FlowNetwork):
    """Dense pyramidal Lucas-Kanade.

    Lucas and Kanade, "An iterative image registration technique with an application to stereo vision", IJCAI 1981:
    flow is constant within a window, so that sum(w g g^T) d = -sum(w g I_t), with the gradient g = (I_x, I_y).
    Coarse to fine, with warping between the steps: Bouguet, "Pyramidal implementation of the Lucas Kanade feature
    tracker", 2001.

    Args:
        sigma: standard deviation of the Gaussian window, in pixels.
        steps: number of warps on each level.
        damping: added to the diagonal of the 2 x 2 system (grey levels squared), so that flow does not change
            where there is no texture.
    """

    def __init__(self, sigma: float = 4.0, steps: int = 5, damping: float = 4.0):
        super().__init__()
        self.sigma, self.steps, self.damping = sigma, steps, damping

    def match(
        self, first: Encoded, second: Encoded, *, init_flow: Flow | None = None, iterations: int | None = None
    ) -> Flow:
        return _coarse_to_fine(grey(first["frames"]), grey(second["frames"]), self._refine, init_flow)

    def _refine(self, first: Grey, second: Grey, flow: Flow) -> Flow:
        gradient = _gradient(first)
        xx, xy, yy = (
            _gaussian(product, self.sigma)
            for product in (gradient[:, :1].square(), gradient[:, :1] * gradient[:, 1:], gradient[:, 1:].square())
        )
        xx, yy = xx + self.damping, yy + self.damping
        determinant = xx * yy - xy.square()
        for _ in range(self.steps):
            change = warp(second, flow) - first
            xt, yt = _gaussian(gradient * change, self.sigma).split(1, 1)
            step = torch.cat((xy * yt - yy * xt, xy * xt - xx * yt), 1) / determinant
            flow = flow + step.clamp(-1, 1)  # the linearisation holds within a pixel
        return flow


class HornSchunck(FlowNetwork):
    """Horn-Schunck on an image pyramid, from coarse to fine.

    Horn and Schunck, "Determining optical flow", Artificial Intelligence 17, 1981: the flow minimises
    (I_x u + I_y v + I_t)^2 + alpha^2 (|grad u|^2 + |grad v|^2). Their iteration (section 12), with the mean of the
    neighbours u_, v_:  u = u_ - I_x (I_x u_ + I_y v_ + I_t) / (alpha^2 + I_x^2 + I_y^2), and v alike. I_t is taken anew
    from the warped second frame, which allows motion of more than a pixel.

    Args:
        alpha: weight of smoothness, in grey levels.
        warps: number of linearisations on each level.
        sweeps: number of iterations for each linearisation.
    """

    def __init__(self, alpha: float = 12.0, warps: int = 5, sweeps: int = 40):
        super().__init__()
        self.alpha, self.warps, self.sweeps = alpha, warps, sweeps

    def match(
        self, first: Encoded, second: Encoded, *, init_flow: Flow | None = None, iterations: int | None = None
    ) -> Flow:
        return _coarse_to_fine(grey(first["frames"]), grey(second["frames"]), self._refine, init_flow)

    def _refine(self, first: Grey, second: Grey, flow: Flow) -> Flow:
        neighbours = first.new_tensor([[1, 2, 1], [2, 0, 2], [1, 2, 1]]).div(12).expand(2, 1, 3, 3)
        for _ in range(self.warps):
            warped = warp(second, flow)
            gradient = _gradient((first + warped) / 2)
            # linearised at the flow that warped the second frame
            change = warped - first - (gradient * flow).sum(1, keepdim=True)
            norm = self.alpha**2 + gradient.square().sum(1, keepdim=True)
            for _ in range(self.sweeps):
                mean = F.conv2d(F.pad(flow, (1, 1, 1, 1), mode="replicate"), neighbours, groups=2)
                flow = mean - gradient * ((gradient * mean).sum(1, keepdim=True) + change) / norm
        return flow


class _OpenCV(FlowNetwork):
    """A method of OpenCV: on the CPU, pair by pair, on grey frames."""

    min_size = 32  # smaller frames leave DIS no pyramid level
    takes_precision = False

    def encode(self, frames: Frames) -> Encoded:
        self.must_take(frames)
        return {"grey": grey_bytes(frames)}

    def match(
        self, first: Encoded, second: Encoded, *, init_flow: Flow | None = None, iterations: int | None = None
    ) -> Flow:
        greys = first["grey"].cpu().numpy(), second["grey"].cpu().numpy()
        starts = [None] * len(greys[0])
        if init_flow is not None:
            starts = list(init_flow.detach().float().permute(0, 2, 3, 1).contiguous().cpu().numpy())
        flows = np.stack([self.calculate(*pair) for pair in zip(*greys, starts, strict=True)])
        return torch.from_numpy(flows).permute(0, 3, 1, 2).to(first["grey"].device)

    @abstractmethod
    def calculate(self, first: np.ndarray, second: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
        """Return the flow (H x W x 2 float32) of two grey frames (H x W uint8); `start` is the initial flow or None."""


class DIS(_OpenCV):
    """Dense inverse search. Kroeger et al., "Fast optical flow using dense inverse search", ECCV 2016.

    Args:
        preset: `ultrafast`, `fast` or `medium`, OpenCV's names.
    """

    def __init__(self, preset: str = "medium"):
        super().__init__()
        self._preset = getattr(cv2, f"DISOPTICAL_FLOW_PRESET_{preset.upper()}")

    def calculate(self, first: np.ndarray, second: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
        dis = cv2.DISOpticalFlow.create(self._preset)  # a new object, as it would use `start` for the next pair, too
        return dis.calc(first, second, None if start is None else start.copy())  # type: ignore[call-overload]


class Farneback(_OpenCV):
    """Farneback's method with the parameters of OpenCV's example.

    Farneback, "Two-frame motion estimation based on polynomial expansion", SCIA 2003.
    """

    def calculate(self, first: np.ndarray, second: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
        flag = 0 if start is None else cv2.OPTFLOW_USE_INITIAL_FLOW
        begin = None if start is None else start.copy()
        return cv2.calcOpticalFlowFarneback(first, second, begin, 0.5, 3, 15, 3, 5, 1.2, flag)  # type: ignore[call-overload]


def _coarse_to_fine(first: Grey, second: Grey, refine, init_flow: Flow | None) -> Flow:
    """Refine the flow on an image pyramid, from the coarsest level (at least 16 px a side) to the finest."""
    pyramid = [(first, second)]
    while min(pyramid[-1][0].shape[-2:]) >= 32:
        size = [-(-side // 2) for side in pyramid[-1][0].shape[-2:]]
        smaller = [F.interpolate(_gaussian(image, 0.8), size=size, mode="bilinear") for image in pyramid[-1]]
        pyramid.append((smaller[0], smaller[1]))
    flow = first.new_zeros(len(first), 2, *first.shape[-2:]) if init_flow is None else init_flow
    for level_first, level_second in reversed(pyramid):
        flow = refine(level_first, level_second, resize_flow(flow, (level_first.shape[-2], level_first.shape[-1])))
    return flow


def _gradient(image: Grey) -> Float[Tensor, "batch 2 height width"]:
    """Return central differences, one-sided at the border."""
    padded = F.pad(image, (1, 1, 1, 1), mode="replicate")
    across = (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]) / 2
    down = (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]) / 2
    return torch.cat((across, down), 1)


def _gaussian(image: Tensor, sigma: float) -> Tensor:
    """Blur each channel; the border is replicated."""
    radius = max(1, round(2.5 * sigma))
    offset = torch.arange(-radius, radius + 1, device=image.device, dtype=image.dtype)
    kernel = torch.exp(-offset.square() / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(image.shape[1], 1, 1, -1)
    padded = F.pad(image, (radius, radius, radius, radius), mode="replicate")
    blurred = F.conv2d(padded, kernel, groups=image.shape[1])
    return F.conv2d(blurred, kernel.transpose(2, 3), groups=image.shape[1])
