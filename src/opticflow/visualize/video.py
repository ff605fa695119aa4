"""Draw the flow of a clip as a video."""

from fractions import Fraction
from pathlib import Path

from opticflow.errors import InputError
from opticflow.io.video.writer import VideoWriter
from opticflow.visualize.drawings import Drawings, Drawn


def draw_video(drawings: Drawings, target: Path, *, rate: Fraction | None = None) -> Drawn:
    """Write the drawings of the flow of a clip as an mp4 video, all on one scale.

    Args:
        drawings: what to draw.
        target: the file.
        rate: frames per second; that of the store, or 25, if not given.

    Raises:
        InputError: the source is a single flow file, or the flows have different sizes.
        FormatError: a file cannot be read.
        VideoError: the video cannot be written.
    """
    flows = drawings.flows
    if flows.single:
        raise InputError(f"{target}: one flow file is one picture; give a suffix such as .png, or a folder of flow")
    rate, scale, shape = rate or flows.rate, drawings.scale, None
    with VideoWriter(target, rate=rate) as writer:
        for index, picture in enumerate(drawings):
            if shape is not None and picture.shape != shape:
                raise InputError(f"{flows.title(index)} is of another size than the flows before it")
            shape = picture.shape
            writer.write(picture, float(index / rate))
    return Drawn([target], scale)
