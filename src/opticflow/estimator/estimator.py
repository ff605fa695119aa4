"""The Estimator, which applies a network to frames of any size."""

import copy
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise, product
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor

from opticflow.errors import InputError
from opticflow.estimator.composition import compose, use_in_words
from opticflow.estimator.inputs import (
    checked_starts,
    flow_arrays,
    flows_tensor,
    frames_tensor,
    tensors_of_call,
)
from opticflow.estimator.memory import pixels_within
from opticflow.estimator.precision import Format, choose_device, choose_precision, inference
from opticflow.estimator.stream import PairFlow, batches_of_pairs, is_cut
from opticflow.estimator.tiles import estimate_in_tiles, layout
from opticflow.models import Encoded, FlowNetwork, accelerate
from opticflow.ops.consistency import occlusion
from opticflow.ops.fitting import Fitting
from opticflow.ops.projection import project_forward
from opticflow.runtime.forks import outlive_forks
from opticflow.settings import Settings, parse_memory, settings_by_name
from opticflow.shapes import (
    Array,
    Flow,
    FlowArray,
    Frame,
    Frames,
    MaskArray,
    Picture,
    as_frame,
    flow_tensor,
    holds_channels_first,
)


class Estimator:
    """Estimates flow between frames of any size with any method.

    It handles device, number format, frame size and memory. Coarse-to-fine initialisation and refinement are networks
    that it puts around the given one (`compose`).

    Args:
        network: the method, `opticflow.models.build(name)` or one of your own.
        settings: by keyword, the fields of `Settings`, such as `device="cpu"`. None means no coarse start, no
            refinement, and the network's own number of iterations.

    Raises:
        InputError: settings that cannot be used, here or with this method.

    Example:
        >>> from opticflow.models import build
        >>> estimator = opticflow.Estimator(build("DIS"), scale=0.5)
        >>> flow = estimator(frame1, frame2)
        >>> flow.shape
        (64, 96, 2)
    """

    name: str
    """Name of the weights, or of the network's class."""

    @settings_by_name(Settings)
    def __init__(self, network: FlowNetwork, *, settings: Settings) -> None:
        self.device = choose_device(settings.device)
        chosen = choose_precision(settings.precision, self.device)
        self.precision: Format = chosen if network.takes_precision else "fp32"
        self.name = type(network.innermost).__name__
        self._check_iterations(network, settings.iterations)
        if settings.max_memory is not None and self.device.type != "cpu":
            raise InputError(
                f"max_memory counts main memory, and the network would be on {self.device}; leave it out, or take the "
                "device cpu"
            )
        outlive_forks()
        self.network = compose(accelerate(network), settings).to(self.device).eval()
        self.settings = replace(
            settings.resolved({}),
            device=str(self.device),
            precision=self.precision,
            iterations=network.iterations if settings.iterations is None else settings.iterations,
        )
        """The settings, with the chosen values in place of `auto` and None."""
        self._limits: dict[tuple[int, int], int] = {}

    def __repr__(self) -> str:
        words = [use_in_words(self.settings.iterations, self.network.uses), self.precision, str(self.device)]
        return f"Estimator({self.name}: {', '.join(filter(None, words))})"

    def with_iterations(self, iterations: int | None) -> "Estimator":
        """Return an Estimator of the same network with another number of iterations; None keeps the present one.

        Raises:
            InputError: the method does not iterate, or the number is not valid.
        """
        self._check_iterations(self.network, iterations)
        other = copy.copy(self)
        if iterations is not None:
            other.settings = replace(self.settings, iterations=iterations)
        return other

    def _check_iterations(self, network: FlowNetwork, iterations: int | None) -> None:
        if iterations is not None and network.iterations is None:
            raise InputError(f"{self.name} has no iterations to set; leave them out")

    @overload
    def __call__(self, first: Tensor, second: Tensor, *, init_flow: Tensor | None = None) -> Tensor: ...
    @overload
    def __call__(self, first: Array, second: Array, *, init_flow: Array | None = None) -> FlowArray: ...

    def __call__(self, first: Picture, second: Picture, *, init_flow: Picture | None = None) -> FlowArray | Tensor:
        """Estimate the flow from `first` to `second`, float32, in pixels of the frames: u to the right, v down.

        Args:
            first: an array H x W x 3 uint8 RGB, or what `shapes.as_frame` converts: grey, RGBA, 16 bit, floating point
                in [0, 1]. Or a tensor C x H x W or B x C x H x W, uint8 or floating point in [0, 1], on any device.
            second: a frame, or frames, of the same kind and size.
            init_flow: the initial flow, in the form of the result; methods that have no use for it ignore it.

        Returns:
            H x W x 2 for arrays. For tensors 2 x H x W or B x 2 x H x W, on the device of `first`.

        Raises:
            InputError: frames of different sizes, or values that are not frames.

        Example:
            >>> flow = estimator(frame1, frame2)
        """
        if isinstance(first, Tensor) and holds_channels_first(first):
            return self._call_with_tensors(first, second, init_flow)
        start = None if init_flow is None else [init_flow]
        return self.batch([first], [second], init_flows=start)[0]

    def batch(
        self,
        firsts: Sequence[Picture],
        seconds: Sequence[Picture],
        *,
        init_flows: Sequence[Picture] | None = None,
    ) -> list[FlowArray]:
        """Estimate the flows of several pairs of one size together. See `__call__`."""
        if len(firsts) != len(seconds) or not firsts:
            raise InputError(
                f"got {len(firsts)} first and {len(seconds)} second frames; wanted equally many, at least one"
            )
        frames = [as_frame(frame, f"frame {i}") for i, frame in enumerate([*firsts, *seconds])]
        fitting = self._fitting(frames)
        count, size, limit = len(firsts), math.prod(fitting.size), self._limit(fitting)
        if init_flows is not None:
            init_flows = checked_starts(init_flows, count, fitting.height, fitting.width)
        if count * size <= limit:
            return self._whole(frames[:count], frames[count:], init_flows)
        pairs = zip(frames[:count], frames[count:], init_flows or [None] * count, strict=True)
        if size <= limit:
            return [self._whole([a], [b], None if start is None else [start])[0] for a, b, start in pairs]
        return [self._in_tiles(a, b, start, limit) for a, b, start in pairs]

    @overload
    def stream(
        self, frames: Iterable[Tensor], *, batch: int = 1, warm_start: bool = False, reuse: bool = True
    ) -> Iterator[Tensor]: ...
    @overload
    def stream(
        self, frames: Iterable[Array], *, batch: int = 1, warm_start: bool = False, reuse: bool = True
    ) -> Iterator[FlowArray]: ...

    def stream(
        self, frames: Iterable[Picture], *, batch: int = 1, warm_start: bool = False, reuse: bool = True
    ) -> Iterator[FlowArray] | Iterator[Tensor]:
        """Yield the flow from each frame to the next, in constant memory; the arguments are those of `pairs`.

        Frames may also be tensors C x H x W, which are rounded to uint8; their flows are tensors on their device.

        Example:
            >>> for flow in estimator.stream(opticflow.read_video("clip.mp4")):
            ...     print(flow.shape)
            (64, 96, 2)
            (64, 96, 2)
        """
        devices: list[torch.device] = []

        def arrays() -> Iterator[Picture]:
            for frame in frames:
                if isinstance(frame, Tensor) and holds_channels_first(frame) and frame.ndim == 3:
                    devices[:] = [frame.device]
                    frame = frame.movedim(0, -1)
                yield frame

        def flows() -> Iterator[Any]:
            for pair in self.pairs(arrays(), batch=batch, warm_start=warm_start, reuse=reuse):
                yield flow_tensor(pair.forward)[0].to(devices[0]) if devices else pair.forward

        return flows()

    def pairs(
        self,
        frames: Iterable[Picture],
        *,
        batch: int = 1,
        backward: bool = False,
        warm_start: bool = False,
        reuse: bool = True,
    ) -> Iterator[PairFlow]:
        """Yield the flow of each pair of neighbouring frames, in constant memory.

        Args:
            frames: at least two, of one size; read as they are needed.
            batch: pairs computed together. Frames at a batch's border are encoded twice unless it is 1, so that the
                result does not depend on where a stream starts.
            backward: also estimate the flow from the second frame to the first, and what is occluded.
            warm_start: start each estimate from the previous flow, projected forward (RAFT, section 3.4), except at a
                cut. The batch is then 1.
            reuse: encode each frame once and use its features in all estimates, instead of encoding it for each pair.
                The flow is the same: bit for bit if the batch is 1, otherwise up to the order of sums.

        Raises:
            InputError: fewer than two frames, or frames of different sizes.
        """
        if batch < 1:
            raise InputError(f"the batch is {batch}; wanted at least 1")
        batch = 1 if warm_start else batch
        index, kept, previous = 0, None, None
        for group in batches_of_pairs(frames, batch):
            group = [as_frame(frame, f"frame {index + i}") for i, frame in enumerate(group)]
            fitting = self._fitting(group, offset=index)
            cuts = [is_cut(*pair) for pair in pairwise(group)]
            start = None
            if warm_start and previous is not None and not cuts[0]:
                start = project_forward(flow_tensor(previous))
            if not reuse or len(cuts) * math.prod(fitting.size) > self._limit(fitting):
                tail = None
                forward = self.batch(group[:-1], group[1:], init_flows=None if start is None else flow_arrays(start))
                backwards = self.batch(group[1:], group[:-1]) if backward else [None] * len(forward)
            else:
                with inference(self.precision, self.device):
                    head = kept or self._encode(frames_tensor(group[:1]), fitting)
                    tail = self._encode(frames_tensor(group[1:]), fitting)
                    firsts = (
                        head if len(cuts) == 1 else {name: torch.cat((head[name], tail[name][:-1])) for name in tail}
                    )
                    forward = flow_arrays(self._match(firsts, tail, fitting, start))
                    backwards: list[FlowArray] | list[None] = [None] * len(forward)
                    if backward:
                        backwards = flow_arrays(self._match(tail, firsts, fitting, None))
            kept, previous = (tail if batch == 1 else None), forward[-1]
            for i, flow in enumerate(forward):
                hidden = None if (back := backwards[i]) is None else _occluded(flow, back)
                yield PairFlow(index + i, group[i], group[i + 1], flow, back, hidden, cuts[i])
            index += len(forward)
        if index == 0:
            raise InputError("there are fewer than two frames; flow needs two")

    def _call_with_tensors(self, first: Tensor, second: Picture, init_flow: Picture | None) -> Tensor:
        firsts, seconds, start = tensors_of_call(first, second, init_flow)
        fitting = self._fitting_of(*firsts.shape[2:])
        if len(firsts) * math.prod(fitting.size) > self._limit(fitting):  # as arrays, one pair or tile at a time
            pictures = [[as_frame(frame.movedim(0, -1)) for frame in frames] for frames in (firsts, seconds)]
            starts = None if start is None else flow_arrays(start)
            flow = flows_tensor(self.batch(*pictures, init_flows=starts))
        else:
            flow = self._estimate(firsts, seconds, fitting, start)
        flow = flow.to(first.device).clone()  # outside of inference mode, so that callers can use gradients
        return flow[0] if first.ndim == 3 else flow

    def tiles(self, height: int, width: int) -> list[tuple[slice, slice]]:
        """Return the tiles (slices of rows and columns) in which pairs of this size are estimated; one tile if memory
        suffices for the whole frame."""
        fitting = self._fitting_of(height, width)
        limit = self._limit(fitting)
        if math.prod(fitting.size) <= limit:
            return [(slice(0, height), slice(0, width))]
        return list(product(*layout(height, width, int(limit / self.settings.scale**2), self.network.stride)))

    def _fitting(self, frames: Sequence[Frame], offset: int = 0) -> Fitting:
        height, width = frames[0].shape[:2]
        for i, frame in enumerate(frames):
            if frame.shape[:2] != (height, width):
                raise InputError(
                    f"frame {offset + i} is {frame.shape[1]}x{frame.shape[0]} and frame {offset} is {width}x{height}; "
                    "frames must be of one size"
                )
        return self._fitting_of(height, width)

    def _fitting_of(self, height: int, width: int) -> Fitting:
        network = self.network
        return Fitting(
            height,
            width,
            stride=network.stride,
            min_size=network.min_size,
            mode=network.fitting,
            padding=self.settings.padding,
            scale=self.settings.scale,
        )

    def _limit(self, fitting: Fitting) -> float:
        """Return the number of pixels that the network can process at once; infinity without a memory limit."""
        if self.settings.max_memory is None:
            return math.inf
        size = fitting.height, fitting.width
        if size not in self._limits:
            amount = parse_memory(self.settings.max_memory)
            self._limits[size] = pixels_within(self.network, amount, height=size[0], width=size[1])
        return self._limits[size]

    def _in_tiles(self, first: Frame, second: Frame, start: Picture | None, limit: float) -> FlowArray:
        return estimate_in_tiles(
            lambda first, second, start: self._whole([first], [second], [start])[0],
            first,
            second,
            pixels=int(limit / self.settings.scale**2),
            multiple=self.network.stride,
            start=None if start is None else np.asarray(start, np.float32),
        )

    def _whole(
        self, firsts: Sequence[Frame], seconds: Sequence[Frame], init_flows: Sequence[FlowArray] | None
    ) -> list[FlowArray]:
        fitting = self._fitting([*firsts, *seconds])
        first, second = frames_tensor(firsts), frames_tensor(seconds)
        start = None if init_flows is None else flows_tensor(init_flows)
        return flow_arrays(self._estimate(first, second, fitting, start))

    def _estimate(self, first: Frames, second: Frames, fitting: Fitting, start: Flow | None) -> Flow:
        with inference(self.precision, self.device):
            return self._match(self._encode(first, fitting), self._encode(second, fitting), fitting, start)

    def _encode(self, frames: Frames, fitting: Fitting) -> Encoded:
        return self.network.encode(fitting.fit(frames.to(self.device, non_blocking=True)))

    def _match(self, first: Encoded, second: Encoded, fitting: Fitting, start: Flow | None) -> Flow:
        """Return the flow at the frames' size, B x 2 x H x W."""
        start = None if start is None else fitting.fit_flow(start.to(self.device))
        flow = self.network.match(first, second, init_flow=start, iterations=self.settings.iterations)
        if flow.shape[1:] != (2, *fitting.size):
            raise InputError(
                f"{type(self.network.innermost).__name__}.match gave {list(flow.shape)} for frames of "
                f"{fitting.size[1]}x{fitting.size[0]}; it must give B x 2 x H x W at the frames' size (is its `stride` "
                "right?)"
            )
        return fitting.restore(flow.float())


def _occluded(forward: FlowArray, backward: FlowArray) -> MaskArray:
    return occlusion(flow_tensor(forward), flow_tensor(backward))[0].numpy()
