"""Measure where the time of a clip is spent: reading, the network, writing, or between them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import torch

from opticflow.estimator import Estimator
from opticflow.extract.options import ClipOptions
from opticflow.extract.run import run_clip
from opticflow.io.video import Clip
from opticflow.models import Encoded, FlowNetwork, WrappedNetwork
from opticflow.shapes import Flow, Frames

T = TypeVar("T")


@dataclass(frozen=True)
class Stages:
    """The times of one run, in seconds. `network`, the two waits and `other` are consecutive and add up to `wall`;
    decoding and encoding run in parallel."""

    pairs: int
    wall: float
    """Total time, from the opened clip and the loaded network to the last file."""
    network: float
    """Time in the network: frames to features to flow, as tensors."""
    waiting_for_frames: float
    waiting_for_files: float
    other: float
    """Time for the rest: colour scale, padding, copies, detection of scene cuts, the record of the run."""
    decoding: float
    """Work of the thread that reads."""
    encoding: float
    """Work of the thread that writes: flow formats, pictures, video, files."""
    outside: float
    """Share of `wall` in which the network is idle."""
    network_alone: float
    """Time in the network for the same frames without the other threads, which compete with it for cores."""
    slowdown: float
    """`wall` divided by `network_alone`: the cost of the whole run relative to the network."""


class Stopwatch(WrappedNetwork):
    """A wrapper that adds up the seconds that a network takes."""

    use = "timed"

    def __init__(self, network: FlowNetwork) -> None:
        super().__init__(network)
        self.seconds = 0.0

    def encode(self, frames: Frames) -> Encoded:
        return self._timed(lambda: self.network.encode(frames), frames.device)

    def match(
        self, first: Encoded, second: Encoded, *, init_flow: Flow | None = None, iterations: int | None = None
    ) -> Flow:
        device = next(iter(first.values())).device
        return self._timed(
            lambda: self.network.match(first, second, init_flow=init_flow, iterations=iterations), device
        )

    def _timed(self, run: Callable[[], T], device: torch.device) -> T:
        begun = time.perf_counter()
        result = run()
        if device.type == "cuda":
            # GPU kernels are queued: without waiting, only the time to queue them would be measured
            torch.cuda.synchronize(device)
        self.seconds += time.perf_counter() - begun
        return result


def measure_stages(clip: Clip, estimator: Estimator, options: ClipOptions, *, rounds: int = 1) -> Stages:
    """Run a clip as `opticflow estimate` does, into a temporary folder, and measure the stages.

    A first batch warms up.

    Args:
        clip: the frames.
        estimator: the method; its network is measured.
        options: what to compute and to write.
        rounds: the result is the fastest of this many runs.

    Raises:
        See `run_clip`.
    """
    network = estimator.network
    estimator.network = watch = Stopwatch(network)
    try:
        # the first batch includes work that is done once, such as choosing algorithms
        _run_alone(clip, estimator, options, pairs=options.batch)
        watch.seconds = 0.0
        _run_alone(clip, estimator, options)
        alone = watch.seconds
        return min((_run(clip, estimator, watch, options, alone) for _ in range(rounds)), key=lambda found: found.wall)
    finally:
        estimator.network = network


def _run_alone(clip: Clip, estimator: Estimator, options: ClipOptions, pairs: int | None = None) -> None:
    frames = (frame.image for frame in clip.frames(options.start, options.end, options.step))
    flows = options.estimate(estimator, islice(frames, None if pairs is None else pairs + 1))
    for _ in flows:
        pass


def _run(clip: Clip, estimator: Estimator, watch: Stopwatch, options: ClipOptions, alone: float) -> Stages:
    watch.seconds = 0.0
    with TemporaryDirectory() as folder:
        begun = time.perf_counter()
        report = run_clip(clip, estimator, Path(folder, "flow"), options, settings={})
        wall = time.perf_counter() - begun
    reading, writing = report.reading * report.seconds, report.writing * report.seconds
    return Stages(
        pairs=report.pairs,
        wall=round(wall, 3),
        network=round(watch.seconds, 3),
        waiting_for_frames=round(reading, 3),
        waiting_for_files=round(writing, 3),
        other=round(wall - watch.seconds - reading - writing, 3),
        decoding=report.decoding,
        encoding=report.encoding,
        outside=round(1 - watch.seconds / wall, 4),
        network_alone=round(alone, 3),
        slowdown=round(wall / alone, 4),
    )
