"""The Estimator: a network, made usable for any frames."""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from opticflow import weights
from opticflow.errors import InputError
from opticflow.estimator.coarse import coarse_flow
from opticflow.estimator.fitting import Fitting
from opticflow.estimator.memory import parse_memory, pixels_within
from opticflow.estimator.precision import Format, choose_device, choose_precision, inference
from opticflow.estimator.stream import PairFlow, batches_of_pairs, is_cut
from opticflow.estimator.tiles import estimate_in_tiles, layout
from opticflow.models import Encoded, FlowNetwork, VariationalRefinement
from opticflow.models.raft import check_iterations
from opticflow.models.refinement import without_refinement
from opticflow.ops.consistency import occlusion
from opticflow.ops.forks import outlive_forks
from opticflow.ops.projection import project_forward
from opticflow.shapes import FlowArray, Frame, Frames, MaskArray, Picture, as_array, as_frame, flow_array, flow_tensor


class Estimator:
    """Flow between frames of any size, from any method.

    Args:
        network: the method, `opticflow.models.build(name)` or one of your own.
        device: `auto`, `cpu`, `cuda`, `cuda:1` ...
        precision: number format of the convolutions; `auto` takes bf16 where the device is faster with it.
        padding: where frames are padded to the network's stride: `center`, half on each side, or `bottom`, all
            vertical padding below (what RAFT's authors do for KITTI).
        scale: frames are resized by this factor before the estimate; the flow still comes at the frames' own size.
        max_memory: what the process may take at its peak, `4GB` or bytes; frames for which that is too little are
            estimated in tiles. Without it frames are always estimated whole. On a CPU alone: what a GPU's memory holds
            is not counted.
        coarse_start: estimate the frames at a quarter and then half their size first (a quarter has at least 64 rows
            and columns) and start from there, where no other start is given. Motion that is too far for a network is
            then found; with 8 in place of 12 iterations RAFT takes hardly longer than without. Methods that have no
            use for a start ignore it.

    Raises:
        InputError: a device, precision, padding, scale or amount of memory that cannot be used.
    """

    def __init__(
        self,
        network: FlowNetwork,
        *,
        device: str | torch.device = "auto",
        precision: str = "auto",
        padding: str = "center",
        scale: float = 1.0,
        max_memory: str | int | None = None,
        coarse_start: bool = False,
    ):
        if padding not in ("center", "bottom"):
            raise InputError(f"there is no padding {padding!r}; known are center, bottom")
        if not 0 < scale <= 8:
            raise InputError(f"the scale is {scale}; wanted a factor above 0 and up to 8")
        self.device = choose_device(device)
        chosen = choose_precision(precision, self.device)
        self.precision: Format = chosen if without_refinement(network).takes_precision else "fp32"
        self.padding: str = padding
        self.scale = scale
        self.coarse_start = coarse_start
        self._limits: dict[tuple[int, int], int] = {}
        self.max_memory = None if max_memory is None else parse_memory(max_memory)
        if max_memory is not None and self.device.type != "cpu":
            raise InputError(
                f"max_memory counts main memory, and the network would be on {self.device}; leave it out, or take the "
                "device cpu"
            )
        outlive_forks()
        self.network = network.to(self.device).eval()
        self.coarse_network = without_refinement(self.network)  # details are lost when its flow is enlarged

    @property
    def settings(self) -> dict[str, Any]:
        """What the flow depends on beside the weights and `max_memory`, by the names of the arguments of `load`."""
        network = without_refinement(self.network)
        return {
            "device": str(self.device),
            "precision": self.precision,
            "padding": self.padding,
            "scale": self.scale,
            "iterations": getattr(network, "iterations", None),
            "coarse_start": self.coarse_start,
            "refine": network is not self.network,
        }

    def __call__(self, first: Picture, second: Picture, *, init_flow: Picture | None = None) -> FlowArray:
        """The flow from `first` to `second`.

        Args:
            first: H x W x 3 uint8 RGB, or what `shapes.as_frame` converts: grey, RGBA, 16 bit, [0, 1] floats.
            second: a frame of the same size.
            init_flow: H x W x 2, where to start; for methods that can.

        Returns:
            H x W x 2 float32, pixels of the frames.

        Raises:
            InputError: frames of different sizes, or that are no frames.
        """
        start = None if init_flow is None else [init_flow]
        return self.batch([first], [second], init_flows=start)[0]

    def batch(
        self,
        firsts: Sequence[Picture],
        seconds: Sequence[Picture],
        *,
        init_flows: Sequence[Picture] | None = None,
    ) -> list[FlowArray]:
        """The flows of several pairs of one size, computed together. See `__call__`."""
        if len(firsts) != len(seconds) or not firsts:
            raise InputError(
                f"got {len(firsts)} first and {len(seconds)} second frames; wanted equally many, at least one"
            )
        frames = [as_frame(frame, f"frame {i}") for i, frame in enumerate([*firsts, *seconds])]
        fitting = self._fitting(frames)
        count, size, limit = len(firsts), math.prod(fitting.size), self._limit(fitting)
        if init_flows is not None:
            init_flows = _check_starts(init_flows, count, fitting)
        if count * size <= limit:
            return self._whole(frames[:count], frames[count:], init_flows)
        pairs = zip(frames[:count], frames[count:], init_flows or [None] * count, strict=True)
        if size <= limit:
            return [self._whole([a], [b], None if start is None else [start])[0] for a, b, start in pairs]
        return [self._in_tiles(a, b, start, limit) for a, b, start in pairs]

    def stream(
        self, frames: Iterable[Picture], *, batch: int = 1, warm_start: bool = False, reuse: bool = True
    ) -> Iterator[FlowArray]:
        """The flow from each frame to the next, in constant memory. See `pairs`."""
        return (pair.forward for pair in self.pairs(frames, batch=batch, warm_start=warm_start, reuse=reuse))

    def pairs(
        self,
        frames: Iterable[Picture],
        *,
        batch: int = 1,
        backward: bool = False,
        warm_start: bool = False,
        reuse: bool = True,
    ) -> Iterator[PairFlow]:
        """The flow of each pair of neighbouring frames, in constant memory.

        Args:
            frames: at least two, of one size; read as they are needed.
            batch: pairs computed together. Frames at a batch's border are encoded twice unless it is 1, so that the
                result does not depend on where a stream starts.
            backward: also estimate the flow from the second frame to the first, and what is occluded.
            warm_start: start each estimate from the flow before, moved along itself (RAFT, section 3.4); it starts
                anew at a cut. Computes pair by pair.
            reuse: encode each frame once, for all that is estimated from it, rather than for each pair. The flow is
                the same, to the bit where the batch is 1, else up to the order of sums.

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
                start = [flow_array(project_forward(flow_tensor(previous)))]
            if not reuse or len(cuts) * math.prod(fitting.size) > self._limit(fitting):
                tail = None
                forward = self.batch(group[:-1], group[1:], init_flows=start)
                backwards = self.batch(group[1:], group[:-1]) if backward else [None] * len(forward)
            else:
                with inference(self.precision, self.device):
                    head = kept or self._encode(group[:1], fitting)
                    tail = self._encode(group[1:], fitting)
                    firsts = (
                        head if len(cuts) == 1 else {name: torch.cat((head[name], tail[name][:-1])) for name in tail}
                    )
                    forward = self._match(firsts, tail, fitting, start or self._coarse(group[:-1], group[1:]))
                    backwards = [None] * len(forward)
                    if backward:
                        backwards = self._match(tail, firsts, fitting, self._coarse(group[1:], group[:-1]))
            kept, previous = (tail if batch == 1 else None), forward[-1]
            for i, flow in enumerate(forward):
                hidden = None if (back := backwards[i]) is None else _occluded(flow, back)
                yield PairFlow(index + i, group[i], group[i + 1], flow, back, hidden, cuts[i])
            index += len(forward)
        if index == 0:
            raise InputError("there are fewer than two frames; flow needs two")

    def tiles(self, height: int, width: int) -> list[tuple[slice, slice]]:
        """The rows and columns that pairs of this size are estimated in; the whole frame where memory suffices."""
        fitting = self._fitting_of(height, width)
        limit = self._limit(fitting)
        if math.prod(fitting.size) <= limit:
            return [(slice(0, height), slice(0, width))]
        return list(product(*layout(height, width, int(limit / self.scale**2), self.network.stride)))

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
            padding=self.padding,
            scale=self.scale,
        )

    def _limit(self, fitting: Fitting) -> float:
        """Pixels of pairs that the network can be given at once."""
        if self.max_memory is None:
            return math.inf
        size = fitting.height, fitting.width
        if size not in self._limits:
            self._limits[size] = pixels_within(self.network, self.max_memory, height=size[0], width=size[1])
        return self._limits[size]

    def _in_tiles(self, first: Frame, second: Frame, start: Picture | None, limit: float) -> FlowArray:
        return estimate_in_tiles(
            lambda first, second, start: self._whole([first], [second], [start])[0],
            first,
            second,
            pixels=int(limit / self.scale**2),
            multiple=self.network.stride,
            start=None if start is None else np.asarray(start, np.float32),
        )

    def _whole(
        self,
        firsts: Sequence[Frame],
        seconds: Sequence[Frame],
        init_flows: Sequence[Picture] | None,
        network: FlowNetwork | None = None,
    ) -> list[FlowArray]:
        fitting, network = self._fitting([*firsts, *seconds]), network or self.network
        starts = self._coarse(firsts, seconds) if init_flows is None else init_flows
        with inference(self.precision, self.device):
            first, second = self._encode(firsts, fitting, network), self._encode(seconds, fitting, network)
            return self._match(first, second, fitting, starts, network)

    def _coarse(self, firsts: Sequence[Frame], seconds: Sequence[Frame]) -> list[FlowArray] | None:
        """Where to start, should that be estimated."""
        if not self.coarse_start:
            return None

        def small(first: Frame, second: Frame, start: FlowArray) -> FlowArray:
            return self._whole([first], [second], [start], self.coarse_network)[0]

        return [coarse_flow(small, *pair) for pair in zip(firsts, seconds, strict=True)]

    def _encode(self, frames: Sequence[Frame], fitting: Fitting, network: FlowNetwork | None = None) -> Encoded:
        tensor = torch.from_numpy(np.stack(frames)).to(self.device, non_blocking=True)
        return (network or self.network).encode(fitting.fit(_to_unit_range(tensor)))

    def _match(
        self,
        first: Encoded,
        second: Encoded,
        fitting: Fitting,
        init_flows: Sequence[Picture] | None,
        network: FlowNetwork | None = None,
    ) -> list[FlowArray]:
        start = None
        if init_flows is not None:
            stacked = torch.from_numpy(np.stack(init_flows)).to(self.device).permute(0, 3, 1, 2)
            start = fitting.fit_flow(stacked.float())
        flow = fitting.restore((network or self.network).match(first, second, init_flow=start).float())
        return [flow_array(one) for one in flow.split(1)]


def load(
    name_or_file: str | Path = weights.DEFAULT_MODEL,
    *,
    device: str | torch.device = "auto",
    precision: str = "auto",
    iterations: int | None = None,
    padding: str = "center",
    scale: float = 1.0,
    refine: bool | None = None,
    max_memory: str | int | None = None,
    coarse_start: bool | None = None,
) -> Estimator:
    """An Estimator from a model's name or a checkpoint file.

    Args:
        name_or_file: a name of `opticflow models list`, with or without the tag of a weight set
            (`RAFT-small.worlds`), or a checkpoint in a layout that `opticflow models import` knows.
        device: see `Estimator`.
        precision: see `Estimator`.
        iterations: how often RAFT updates its flow; the default is the network's own, or what goes with a coarse start
            where the weights are best used with one.
        padding: see `Estimator`.
        scale: see `Estimator`.
        max_memory: see `Estimator`.
        coarse_start: see `Estimator`; the default is how the weights are best used: True for those that come with the
            package, False for others.
        refine: let variational refinement follow (FlowNet's "+v"); the default is how the weights are best used.

    Raises:
        InputError: an unknown name, with the near ones; iterations for a method that has none.
        WeightsError: a checkpoint that does not fit.
    """
    network = weights.load_network(name_or_file)
    usual = weights.usual_settings(name_or_file)
    if coarse_start is None:
        coarse_start = usual.get("coarse_start", False)
    if iterations is None and coarse_start == usual.get("coarse_start", False):
        iterations = usual.get("iterations")
    set_iterations(network, iterations, name_or_file)
    if usual.get("refine", False) if refine is None else refine:
        network = VariationalRefinement(network)
    return Estimator(
        network,
        device=device,
        precision=precision,
        padding=padding,
        scale=scale,
        max_memory=max_memory,
        coarse_start=bool(coarse_start),
    )


def set_iterations(network: FlowNetwork, iterations: int | None, name: str | Path) -> None:
    """Let RAFT update its flow so often; None leaves what it has.

    Raises:
        InputError: another method, called `name`, or a number that cannot be one of iterations.
    """
    if iterations is None:
        return
    if not hasattr(network, "iterations"):
        raise InputError(f"{name} has no iterations to set; leave them out")
    network.iterations = check_iterations(iterations)  # type: ignore[assignment]


def estimate(first: Picture, second: Picture, *, model: str | Path = weights.DEFAULT_MODEL, **options) -> FlowArray:
    """The flow from `first` to `second`: `load(model, **options)(first, second)`. For many pairs, load once."""
    return load(model, **options)(first, second)


def _check_starts(flows: Sequence[Picture], count: int, fitting: Fitting) -> list[FlowArray]:
    """Initial flows as they are wanted, or a line that says what is wrong with them."""
    if len(flows) != count:
        raise InputError(f"got {len(flows)} initial flows for {count} pairs; wanted one for each")
    wanted = (fitting.height, fitting.width, 2)
    starts = [as_array(flow, "an initial flow").astype(np.float32, copy=False) for flow in flows]
    for start in starts:
        if start.shape != wanted:
            raise InputError(f"an initial flow has the shape {start.shape}; wanted {wanted}, that of the frames")
        if not np.isfinite(start).all():
            raise InputError("an initial flow has unknown or infinite values; wanted numbers, 0 where nothing is known")
    return starts


def _to_unit_range(frames: torch.Tensor) -> Frames:
    return frames.permute(0, 3, 1, 2).contiguous().float().div_(255)


def _occluded(forward: FlowArray, backward: FlowArray) -> MaskArray:
    return occlusion(flow_tensor(forward), flow_tensor(backward))[0].numpy()
