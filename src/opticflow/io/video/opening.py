"""Open any clip: a video file, a TIFF of several pages, a folder or a list of pictures."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import SupportsIndex

from opticflow.errors import InputError, VideoError
from opticflow.io.folders import list_files, list_image_files
from opticflow.io.image_files import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from opticflow.io.video.clip import Clip
from opticflow.io.video.picture_clips import PictureClip, StackClip
from opticflow.io.video.video_clip import VideoClip
from opticflow.shapes import Frame

STACK_SUFFIXES = (".tif", ".tiff")


def open_clip(source: str | Path | Sequence[str | Path], *, white: int | None = None) -> Clip:
    """Open a video file, a TIFF of several pages, a folder of pictures in natural order (2 before 10), or a list of
    pictures.

    Args:
        source: the clip.
        white: the value of white in 16-bit pictures; see `opticflow.read_image`.

    Raises:
        VideoError: the file is missing or is no video.
        InputError: a folder or list without pictures, several clips, a source of another kind, or `white` for a video.
    """
    if not isinstance(source, str | Path):
        if not isinstance(source, Sequence) or not all(isinstance(path, str | Path) for path in source):
            raise InputError(f"a clip is a file, a folder or a list of pictures, not {type(source).__name__}")
        if not source:
            raise InputError("the list of pictures is empty; flow needs two")
        paths = [Path(path) for path in source]
        refuse_clips(paths)
        return PictureClip(paths, name="frames", white=white)
    path = Path(source)
    if path.is_dir():
        if list_files(path, VIDEO_SUFFIXES) and not list_files(path, IMAGE_SUFFIXES):
            raise InputError(f"{path} is a folder of videos; one clip is taken at a time, so name one of them")
        return PictureClip(list_image_files(path), name=path.resolve().name, white=white)
    if not path.exists():
        raise VideoError(f"there is no file or folder {path}")
    if path.suffix.lower() in STACK_SUFFIXES:
        return StackClip(path, white=white)
    if white is not None:
        raise InputError(f"{path} is a video, which says itself what is white; `white` is for pictures of 16 bits")
    return VideoClip(path)


def refuse_clips(pictures: Sequence[Path]) -> None:
    """Raise an error if one of these is not a picture.

    Raises:
        InputError: one is a video or a folder.
    """
    for path in pictures:
        if path.suffix.lower() in VIDEO_SUFFIXES or path.is_dir():
            raise InputError(f"{path} is a clip of its own, and one is taken at a time; a list is one of pictures")


def read_video(source: str | Path, *, start: int = 0, end: int | None = None, step: int = 1) -> Iterator[Frame]:
    """Return an iterator over the frames of a video file or a folder of pictures, as H x W x 3 uint8 RGB.

    Args:
        source: see `open_clip`.
        start: index of the first frame.
        end: index after the last frame.
        step: take every step-th frame.

    Raises:
        InputError: a source of another kind, a negative start or end, or a step below 1.
        VideoError: the source cannot be opened (raised at once), or a frame cannot be read (raised when it is reached).

    Example:
        >>> for frame in opticflow.read_video("clip.mp4", end=2):
        ...     print(frame.shape)
        (64, 96, 3)
        (64, 96, 3)
    """
    whole = all(isinstance(number, SupportsIndex) for number in (start, step, end or 0))
    if not whole or start < 0 or step < 1 or (end is not None and end < 0):
        raise InputError(
            f"start is {start}, end {end} and step {step}; wanted whole numbers: start and end from 0, step from 1 on"
        )
    clip = open_clip(source)
    return (frame.image for frame in clip.frames(start, end, step))
