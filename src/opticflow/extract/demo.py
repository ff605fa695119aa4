"""The sample clip in the package: a small rendered scene with ground truth."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from opticflow.estimator import Estimator
from opticflow.extract.options import ClipOptions, RunReport
from opticflow.extract.run import run_clip
from opticflow.io import make_folder, read_flow, write_image
from opticflow.io.video import open_clip, read_video
from opticflow.metrics.maps import end_point_error
from opticflow.shapes import FlowArray
from opticflow.visualize import flow_to_image


@dataclass(frozen=True)
class DemoReport:
    """The result of the demo."""

    run: RunReport
    video: Path
    """File of the colour video of the flow."""
    still: Path
    """File with a frame, its estimated flow and its true flow side by side."""
    end_point_error: float
    """Mean end-point error over all pixels of all pairs, in pixels."""
    zero_error: float
    """The same error for zero flow, which is the mean displacement."""


@contextmanager
def sample_clip() -> Iterator[tuple[Path, list[FlowArray]]]:
    """Yield the file of the clip, which exists inside the context, and the true flow from each frame to the next."""
    with as_file(files("opticflow") / "assets" / "sample") as sample:
        yield sample / "clip.mp4", [read_flow(path) for path in sorted((sample / "flow").glob("*.png"))]


def run_demo(estimator: Estimator, folder: Path, *, model: str, progress=lambda done, total: None) -> DemoReport:
    """Estimate the flow of the sample clip and compare it with the ground truth.

    Raises:
        FormatError: the folder cannot be written to.
    """
    make_folder(folder)
    with sample_clip() as (sample, truths):
        # H x W for each pair, in pixels; the error of zero flow is the length of the true flow
        displacements = [end_point_error(np.zeros_like(truth), truth) for truth in truths]
        # the 99th percentile is the colour scale of all pictures, so that estimate and truth can be compared
        longest = float(np.percentile(displacements, 99))
        options = ClipOptions(saves=("flo", "video"), max_flow=longest)
        run = run_clip(
            open_clip(sample), estimator, folder, options, settings={"model": model}, overwrite=True, progress=progress
        )
        estimates = [read_flow(folder / "flo" / f"{i:06d}.flo") for i in range(len(truths))]
        middle = len(truths) // 2
        frame = next(read_video(sample, start=middle, end=middle + 1))
    # H x W for each pair, in pixels
    errors = [end_point_error(estimate, truth) for estimate, truth in zip(estimates, truths, strict=True)]
    still = folder / "still.png"
    pictures = [flow_to_image(flow, max_flow=longest) for flow in (estimates[middle], truths[middle])]
    # H x 3W x 3
    write_image(still, np.concatenate([frame, *pictures], axis=1))
    return DemoReport(
        run=run,
        video=folder / "flow.mp4",
        still=still,
        end_point_error=float(np.mean(errors)),
        zero_error=float(np.mean(displacements)),
    )
