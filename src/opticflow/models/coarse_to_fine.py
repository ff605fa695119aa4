"""Coarse-to-fine initialisation around any network."""

import torch.nn.functional as F
from torch import Tensor

from opticflow.models.network import Encoded, FlowNetwork, WrappedNetwork
from opticflow.ops.fitting import Fitting
from opticflow.ops.resizing import resize_flow
from opticflow.shapes import Flow, Frames

LEVELS = 2
"""Number of smaller sizes: half and a quarter; at an eighth too little is visible."""
SMALLEST = 64
"""Shortest side in pixels of the frames at a quarter of the size; with less, that level is left out."""
_EXTENT = "extent"


class CoarseToFine(WrappedNetwork):
    """A network that starts from its own estimates of smaller frames, unless an initial flow is given.

    The frames are halved `levels` times. The network estimates the smallest frames first; that flow, enlarged, is the
    initial flow at the next size, and so on. Motion that is too far for the network's search range is then found, as in
    classical methods (Brox et al., ECCV 2004, section 3.2). Each frame is encoded once at each size.

    Args:
        network: one that uses an initial flow; others ignore what was estimated.
        levels: sizes below that of the frames. Those after the first are left out where they would be smaller than
            SMALLEST.
    """

    use = "coarse to fine"

    def __init__(self, network: FlowNetwork, levels: int = LEVELS) -> None:
        super().__init__(network)
        self.levels = levels

    def encode(self, frames: Frames) -> Encoded:
        self.must_take(frames)
        return self.network.encode(frames) | self._encode_smaller(frames)

    def match(
        self, first: Encoded, second: Encoded, *, init_flow: Flow | None = None, iterations: int | None = None
    ) -> Flow:
        if init_flow is None:
            init_flow = self._start(first, second, iterations)
        return self.network.match(first, second, init_flow=init_flow, iterations=iterations)

    def start(self, first: Frames, second: Frames, *, iterations: int | None = None) -> Flow:
        """Return the initial flow at the frames' size, estimated from smaller frames alone.

        Args:
            first: the first frames.
            second: the second frames.
            iterations: see `match`.
        """
        return self._start(self._encode_smaller(first), self._encode_smaller(second), iterations)

    def _encode_smaller(self, frames: Frames) -> Encoded:
        """Encode the frames at each smaller level; the names begin with the level's number."""
        encoded: Encoded = {f"0/{_EXTENT}": _extent(frames)}
        for level in range(1, self._levels(frames) + 1):
            frames = F.avg_pool2d(frames, 2, ceil_mode=True)
            encoded[f"{level}/{_EXTENT}"] = _extent(frames)
            fitted = self._fitting(*frames.shape[2:]).fit(frames)
            encoded |= {f"{level}/{name}": tensor for name, tensor in self.network.encode(fitted).items()}
        return encoded

    def _start(self, first: Encoded, second: Encoded, iterations: int | None) -> Flow:
        """Estimate the levels from coarse to fine; the result of each is the initial flow of the next."""
        flow = None
        for level in range(self.levels, 0, -1):
            if f"{level}/{_EXTENT}" in first:
                one, other = _level(first, level), _level(second, level)
                fitting = self._fitting(*one[_EXTENT].shape[2:])
                start = None if flow is None else fitting.fit_flow(flow)
                flow = fitting.restore(self.network.match(one, other, init_flow=start, iterations=iterations).float())
                height, width = first[f"{level - 1}/{_EXTENT}"].shape[2:]
                flow = resize_flow(flow, (height, width))
        assert flow is not None  # there is at least one level
        return flow

    def _levels(self, frames: Frames) -> int:
        side, levels = min(frames.shape[2:]) // 2, 1
        while levels < self.levels and side // 2 >= SMALLEST:
            side, levels = side // 2, levels + 1
        return levels

    def _fitting(self, height: int, width: int) -> Fitting:
        return Fitting(height, width, stride=self.stride, min_size=self.min_size, mode=self.fitting)


def _extent(frames: Frames) -> Tensor:
    """Return a tensor without values whose shape tells the size of the frames."""
    return frames.new_empty(len(frames), 0, *frames.shape[2:])


def _level(encoded: Encoded, level: int) -> dict[str, Tensor]:
    """Return what the network keeps of the frames at one level, under the network's own names."""
    prefix = f"{level}/"
    return {name.removeprefix(prefix): tensor for name, tensor in encoded.items() if name.startswith(prefix)}
