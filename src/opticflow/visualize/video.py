"""Draw a folder of flow as a video."""

from fractions import Fraction
from pathlib import Path

from opticflow.errors import InputError
from opticflow.io.video.writer import VideoWriter
from opticflow.visualize import Drawings, Drawn


def draw_video(drawings: Drawings, target: Path, *, rate: Fraction = Fraction(25)) -> Drawn:
    """Write the drawings of a folder of flow as an mp4 video, all on one scale.

    Raises:
        InputError: the source is a single flow file, or the flows have different sizes.
        FormatError: a file cannot be read.
        VideoError: the video cannot be written.
    """
    if not drawings.source.is_dir():
        raise InputError(f"{target}: one flow file is one picture; give a suffix such as .png, or a folder of flow")
    scale, shape = drawings.scale, None
    with VideoWriter(target, rate=rate) as writer:
        for index, picture in enumerate(drawings):
            if shape is not None and picture.shape != shape:
                raise InputError(f"{drawings.flows[index]} is of another size than the flows before it")
            shape = picture.shape
            writer.write(picture, float(index / rate))
    return Drawn([target], scale)
