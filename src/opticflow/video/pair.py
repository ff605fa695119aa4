"""The flow of two picture files, written to a file."""

import time
from dataclasses import dataclass
from pathlib import Path

from opticflow.errors import InputError
from opticflow.estimator import Estimator
from opticflow.io import FLOW_SUFFIXES, IMAGE_SUFFIXES, read_image, write_flow, write_image, write_mask
from opticflow.shapes import FlowArray
from opticflow.visualize import flow_to_image


@dataclass(frozen=True)
class PairReport:
    """What was written."""

    seconds: float
    outputs: list[str]
    """The flow; with both directions also the backward flow and the mask of what is occluded."""


def run_pair(
    first: Path,
    second: Path,
    estimator: Estimator,
    output: Path,
    *,
    backward: bool = False,
    half: bool = False,
    max_flow: float | None = None,
) -> PairReport:
    """Estimate the flow from one picture to another.

    Args:
        first: a picture file.
        second: a picture file of the same size.
        estimator: the method.
        output: the suffix chooses a flow format, or a picture for colours; `.png` is KITTI flow.
        backward: also write `NAME-backward` and, white where a pixel is occluded, `NAME-occlusion.png`.
        half: store `.npz` or `.exr` in half precision.
        max_flow: the length, in pixels, that is painted in full colour; the longest if None.

    Raises:
        InputError: a suffix of no format, an output that is read, or frames of different sizes.
        FormatError: a file that cannot be read or written.
    """
    if output.suffix.lower() not in (*FLOW_SUFFIXES, *IMAGE_SUFFIXES):
        known = ", ".join(dict.fromkeys((*FLOW_SUFFIXES, *IMAGE_SUFFIXES)))
        raise InputError(f"{output} has the suffix of no flow format and no picture; wanted one of {known}")
    returning, mask = (
        output.with_name(f"{output.stem}{name}") for name in (f"-backward{output.suffix}", "-occlusion.png")
    )
    outputs = [output, returning, mask] if backward else [output]
    for path in outputs:
        if path.resolve() in (first.resolve(), second.resolve()):
            raise InputError(f"{path} is read, and would be written to; choose another name")

    def write(path: Path, flow: FlowArray) -> None:
        if path.suffix.lower() in FLOW_SUFFIXES:
            write_flow(path, flow, half=half)
        else:
            write_image(path, flow_to_image(flow, max_flow=max_flow))

    frames = [read_image(path) for path in (first, second)]
    begun = time.perf_counter()
    pair = next(estimator.pairs(frames, backward=backward))
    seconds = time.perf_counter() - begun
    write(output, pair.forward)
    if pair.backward is not None and pair.occluded is not None:
        write(returning, pair.backward)
        write_mask(mask, pair.occluded)
    return PairReport(round(seconds, 3), [str(path) for path in outputs])
