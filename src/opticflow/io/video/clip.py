"""What a clip is: a sequence of frames of one size, with names and times."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from opticflow.shapes import Frame

LOST = np.zeros((0, 0, 3), np.uint8)  # the image of a frame that could not be decoded


@dataclass(frozen=True)
class ClipFrame:
    """A frame of a clip with its position."""

    index: int
    """Position in the clip, from 0."""
    name: str
    """Name, without suffix, of the files made from this frame."""
    time: float
    """Presentation time in seconds, from the first frame of the clip."""
    image: Frame
    """The pixels; empty if the frame is lost."""
    lost: bool = False
    """Whether the frame is skipped (`skip_broken`), because it cannot be decoded or may show wrong content."""
    damaged: bool = False
    """Whether the decoder reports damage, or a broken frame came before and no key frame since."""
    after_gap: bool = False
    """Whether frames before it are missing: frames were evenly spaced until then, and a longer interval followed."""


class Clip(ABC):
    """A sequence of frames of one size."""

    name: str
    """Name of the clip in messages and default output names."""
    count: int | None
    """Number of frames, declared or estimated before they are read; None if unknown."""
    rate: Fraction
    """Frames per second; the mean if the rate varies."""

    sources: list[Path]
    """The files that the clip is read from."""

    @abstractmethod
    def frame_name(self, index: int) -> str:
        """Return the name, without suffix, of the files made from a frame."""

    @abstractmethod
    def stamp(self, index: int) -> str:
        """Return name, size and modification time of the file that a frame comes from, to detect changed files."""

    @abstractmethod
    def frames(
        self, start: int = 0, end: int | None = None, step: int = 1, *, skip_broken: bool = False, seek: bool = True
    ) -> Iterator[ClipFrame]:
        """Yield every `step`-th frame from `start` up to but not including `end`.

        Broken frames before `start` or from `end` on raise no error.

        Args:
            start: index of the first frame.
            end: index after the last frame.
            step: take every step-th frame.
            skip_broken: instead of raising an error, yield a frame that cannot be read, and the frames that depend on
                it, as lost frames in their places.
            seek: in a video, go to the key frame before `start` instead of decoding all frames before it. The frames
                are the same, except behind damage that makes the decoder drop several frames with one error: then only
                a seek finds the right places, and without it they are those of a run from frame 0.

        Raises:
            VideoError: a frame cannot be read or has another size (the message gives its index), or the file is cut
                off.
        """

    @abstractmethod
    def excerpts(
        self, places: int, step: int, *, start: int = 0, end: int | None = None
    ) -> Iterator[tuple[Frame, Frame]]:
        """Yield pairs of frames `step` apart, from up to `places` places spread over the range.

        Places with broken frames are left out. If the number of frames is not known in advance, the places are among
        the first frames.
        """


def file_stamp(path: Path) -> str:
    status = path.stat()
    # in practice these change with the contents, and the file need not be read
    return f"{path.name} {status.st_size} {status.st_mtime_ns}"


def spread(first: int, last: int, places: int) -> list[int]:
    """Return up to `places` different integers spread over [first, last]."""
    if last < first:
        return []
    # the centres of equal parts of the range; a set, because short ranges give a number twice
    return sorted({round(first + (place + 0.5) / places * (last - first)) for place in range(places)})


def size_text(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
