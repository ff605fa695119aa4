"""Estimate the flow of two picture files and write it to a file."""

import time
from dataclasses import dataclass
from pathlib import Path

from opticflow.errors import InputError
from opticflow.estimator import Estimator
from opticflow.io import FLOW_SUFFIXES, IMAGE_SUFFIXES, read_image, write_flow, write_image, write_mask
from opticflow.io.video.opening import refuse_clips
from opticflow.visualize import flow_to_image
from opticflow.visualize.colors import flow_limit

HALF_SUFFIXES = (".npz", ".exr")
"""Suffixes of the flow formats with half precision."""


@dataclass(frozen=True)
class PairReport:
    """The result of `run_pair`."""

    seconds: float
    outputs: list[str]
    """Files written: the flow; with both directions also the backward flow and the occlusion mask."""
    max_flow: float | None
    """The flow magnitude, in pixels, that is drawn at full saturation; None if flow itself was written."""


def run_pair(
    first: Path,
    second: Path,
    estimator: Estimator,
    output: Path,
    *,
    backward: bool = False,
    half: bool = False,
    max_flow: float | None = None,
    white: int | None = None,
) -> PairReport:
    """Estimate the flow from one picture to another and write it.

    Args:
        first: a picture file.
        second: a picture file of the same size.
        estimator: the method.
        output: the suffix chooses a flow format, or a picture format for flow in colours. `.png` means a picture here,
            although KITTI stores flow in it too; `write_flow` and `convert` write KITTI files.
        backward: also write the backward flow as `NAME-backward`, and the occlusion mask as `NAME-occlusion.png`, white
            where a pixel is occluded.
        half: store `.npz` or `.exr` in half precision.
        max_flow: for a picture, the flow magnitude in pixels that is drawn at full saturation; the largest if None.
        white: the value of white in 16-bit pictures; see `opticflow.read_image`.

    Raises:
        InputError: a clip in place of a picture, an unknown suffix, options that do not apply to the format, an output
            that is one of the inputs, or frames of different sizes.
        FormatError: a file cannot be read or written.
    """
    refuse_clips((first, second))
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

    suffix = output.suffix.lower()
    # .png names a KITTI flow file as well as a picture; here it is a picture
    painted = suffix not in FLOW_SUFFIXES or suffix == ".png"
    if max_flow is not None and not painted:
        raise InputError(f"--max-flow is for pictures; {output} keeps the flow itself")
    if half and suffix not in HALF_SUFFIXES:
        raise InputError(f"--half is for {' and '.join(HALF_SUFFIXES)}; {output} has one precision")

    frames = [read_image(path, white=white) for path in (first, second)]  # two frames, H x W x 3, uint8 RGB
    begun = time.perf_counter()
    pair = next(estimator.pairs(frames, backward=backward))
    seconds = time.perf_counter() - begun
    flows = [flow for flow in (pair.forward, pair.backward) if flow is not None]  # one or two, H x W x 2, pixels
    if painted:  # both on one scale
        max_flow = max_flow or max(flow_limit(flow, None) for flow in flows)
    for path, flow in zip(outputs, flows, strict=False):
        if painted:
            write_image(path, flow_to_image(flow, max_flow=max_flow))
        else:
            write_flow(path, flow, half=half)
    if pair.occluded is not None:
        write_mask(mask, pair.occluded)
    return PairReport(round(seconds, 3), [str(path) for path in outputs], max_flow and round(max_flow, 3))
