"""What every flow method is to the rest of the package, learned or not."""

from abc import ABC, abstractmethod
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from opticflow.shapes import Flow, Frames

Encoded = dict[str, Tensor]
"""What a method keeps of single frames: tensors whose first axis is the batch."""


Estimates = list[Float[Tensor, "batch 2 _ _"]]
"""Flows of several sizes, all in pixels of the frames."""
Mixtures = list[
    tuple[Flow, Float[Tensor, "batch components height width"], Float[Tensor, "batch components height width"]]
]
"""Flows with the weights and the scales of a mixture of Laplacians around each, both as logarithms."""


class FlowNetwork(nn.Module, ABC):
    """A method that estimates flow between two frames. Subclasses are final: nothing concrete is overridden but
    `encode`, whose work can be kept for the next pair of a clip.

    A method takes frames whose height and width are multiples of `stride`; the Estimator sees to that for any frame.
    """

    stride: int = 1
    """Height and width must be multiples of this."""
    min_size: int = 1
    """Height and width must be at least this."""
    fitting: Literal["pad", "resize"] = "pad"
    """How frames of another size are brought to one: replicated borders, or bilinear resizing."""

    def encode(self, frames: Frames) -> Encoded:
        """The work that depends on one frame alone."""
        return {"frames": frames}

    @abstractmethod
    def match(self, first: Encoded, second: Encoded, *, init_flow: Flow | None = None) -> Flow:
        """The flow between encoded frames.

        Args:
            first: the first frames, encoded.
            second: the second frames, encoded.
            init_flow: where to start, at the frames' size, in pixels; methods that have no use for it ignore it.
        """

    def forward(self, first: Frames, second: Frames, *, init_flow: Flow | None = None) -> Flow:
        """The flow from `first` to `second`, at their size, in pixels."""
        return self.match(self.encode(first), self.encode(second), init_flow=init_flow)


class LearnedNetwork(FlowNetwork):
    """A method with weights. Training sees every estimate on the way to the flow, inference only the flow."""

    estimates: Literal["scales", "iterations", "mixtures"] = "scales"
    """What `predictions` are, which decides which loss they can have: flows of several scales; a flow at the frames'
    size for each iteration; or that with a mixture of Laplacians around it."""

    @abstractmethod
    def predictions(self, first: Frames, second: Frames, *, init_flow: Flow | None = None) -> Estimates | Mixtures:
        """Every estimate that a loss can be put on, the coarsest or earliest first.

        All are in pixels of the frames given, whatever their own size: FlowNets give one flow for each scale,
        RAFT one for each iteration at the frames' size.
        """
