"""The contract of every flow method, learned or classical."""

from abc import ABC, abstractmethod
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from opticflow.errors import InputError
from opticflow.shapes import Flow, Frames

Encoded = dict[str, Tensor]
"""The encoded frames of a batch, by names that the method chooses: tensors whose first axis is the batch."""


Estimates = list[Float[Tensor, "batch 2 _ _"]]
"""Flows of several sizes, all in pixels of the frames."""
Mixtures = list[
    tuple[Flow, Float[Tensor, "batch components height width"], Float[Tensor, "batch components height width"]]
]
"""Flows, each with the weights and the scales of a mixture of Laplacians around it, both as logarithms."""


class FlowNetwork(nn.Module, ABC):
    """A method that estimates flow between two frames. Subclasses override no concrete method but `encode`, whose
    result can be reused for the next pair of a clip.

    A method takes frames whose height and width are multiples of `stride`; the Estimator pads or resizes others.
    """

    stride: int = 1
    """Height and width must be multiples of this."""
    min_size: int = 1
    """Height and width must be at least this."""
    fitting: Literal["pad", "resize"] = "pad"
    """How frames of other sizes are fitted: by replicated borders, or by bilinear resizing."""
    takes_precision: bool = True
    """Whether a lower precision changes the computation; OpenCV's methods have their own precision."""
    iterations: int | None = None
    """Default number of updates of an iterative network; None for a method that does not iterate."""
    outside_bytes: float = 0
    """Bytes per pixel used outside of PyTorch's tensors, which a run without data cannot count."""
    outside_multiply_adds: int = 0
    """Multiply-adds per pixel made outside of PyTorch."""

    def encode(self, frames: Frames) -> Encoded:
        """Compute what depends on one frame alone.

        Raises:
            InputError: frames that the method cannot take.
        """
        self.must_take(frames)
        return {"frames": frames}

    @abstractmethod
    def match(
        self, first: Encoded, second: Encoded, *, init_flow: Flow | None = None, iterations: int | None = None
    ) -> Flow:
        """Compute the flow between encoded frames.

        Args:
            first: the first frames, encoded.
            second: the second frames, encoded.
            init_flow: the initial flow at the frames' size, in pixels; methods that have no use for it ignore it.
            iterations: number of updates of the flow; None: the network's attribute `iterations`. Methods that do not
                iterate ignore it.
        """

    def forward(
        self, first: Frames, second: Frames, *, init_flow: Flow | None = None, iterations: int | None = None
    ) -> Flow:
        """Compute the flow from `first` to `second`, at their size, in pixels. The other arguments are those of
        `match`.

        Raises:
            InputError: frames that the method cannot take.
        """
        self.must_take(first, second)
        return self.match(self.encode(first), self.encode(second), init_flow=init_flow, iterations=iterations)

    @property
    def innermost(self) -> "FlowNetwork":
        """The method itself, without networks around it."""
        return self

    @property
    def uses(self) -> tuple[str, ...]:
        """What the networks around it do, the inner ones first, as text for users."""
        return ()

    def must_take(self, *frames: Tensor) -> None:
        """Raise an error for frames that would fail inside the network, or give flow of another size.

        Raises:
            InputError: frames of another layout, of a size that is no multiple of `stride` or less than `min_size`, or
                of several sizes.
        """
        if torch.compiler.is_compiling() or torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
            return  # sizes may be symbolic then
        for one in frames:
            if one.ndim != 4 or one.shape[1] != 3 or not one.is_floating_point():
                raise InputError(
                    f"frames are {list(one.shape)} {one.dtype}; a network takes batch x 3 x height x width, floating "
                    "point in [0, 1]; an Estimator takes arrays of height x width x 3"
                )
            height, width = one.shape[2:]
            if height % self.stride or width % self.stride or min(height, width) < self.min_size:
                least = -(-self.min_size // self.stride) * self.stride
                wanted = f"multiples of {self.stride}, {least} at least" if self.stride > 1 else f"{least} at least"
                raise InputError(
                    f"frames are {width}x{height}; this network takes widths and heights of {wanted}; an Estimator "
                    "takes any size"
                )
            if one.shape != frames[0].shape:
                raise InputError(f"frames are {list(frames[0].shape)} and {list(one.shape)}; they must be of one size")


class LearnedNetwork(FlowNetwork):
    """A method with weights. Training uses all intermediate estimates, inference only the final flow."""

    estimates: Literal["scales", "iterations", "mixtures"] = "scales"
    """Kind of `predictions`, which decides which losses fit: flows of several scales; one flow per iteration at the
    frames' size; or the latter with a mixture of Laplacians around each."""

    @abstractmethod
    def predictions(
        self, first: Frames, second: Frames, *, init_flow: Flow | None = None, iterations: int | None = None
    ) -> Estimates | Mixtures:
        """Return every estimate that a loss can be applied to, the coarsest or earliest first.

        All are in pixels of the frames given, whatever their own size: FlowNets give one flow for each scale,
        RAFT one for each iteration at the frames' size. The other arguments are those of `match`.

        Raises:
            InputError: frames that the network cannot take.
        """


class WrappedNetwork(FlowNetwork):
    """A network around another, which changes how that one is used and keeps its contract.

    Args:
        network: the inner network.
    """

    use: str
    """What this network adds, in a few words for users."""

    def __init__(self, network: FlowNetwork) -> None:
        super().__init__()
        self.network = network
        self.stride, self.min_size, self.fitting = network.stride, network.min_size, network.fitting
        self.takes_precision, self.iterations = network.takes_precision, network.iterations
        self.outside_bytes, self.outside_multiply_adds = network.outside_bytes, network.outside_multiply_adds

    @property
    def innermost(self) -> FlowNetwork:
        return self.network.innermost

    @property
    def uses(self) -> tuple[str, ...]:
        return (*self.network.uses, self.use)

    def predictions(
        self, first: Frames, second: Frames, *, init_flow: Flow | None = None, iterations: int | None = None
    ) -> Estimates | Mixtures:
        """Return every estimate of the inner network; see `LearnedNetwork`.

        Raises:
            InputError: the inner network is not learned.
        """
        if not isinstance(self.network, LearnedNetwork | WrappedNetwork):
            raise InputError(f"{type(self.network).__name__} is not learned and has no predictions")
        return self.network.predictions(first, second, init_flow=init_flow, iterations=iterations)
