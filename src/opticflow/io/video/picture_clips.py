"""Clips of pictures: a list of picture files, or a TIFF of several pages."""

import contextlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from opticflow.errors import FormatError, InputError, VideoError
from opticflow.io.image_files import ImageStack, read_image
from opticflow.io.video.clip import LOST, Clip, ClipFrame, file_stamp, size_text, spread
from opticflow.shapes import Frame


class PictureClip(Clip):
    """A clip of picture files, one per frame, at 25 frames per second."""

    def __init__(self, paths: Sequence[Path], *, name: str, white: int | None = None):
        self._white = white
        self.sources = list(paths)
        self.name = name
        self.count = len(self)
        self.rate = Fraction(25)
        stems = [path.stem for path in self.sources]
        # equal names from two folders would give output files of the same name, so frames are numbered instead
        self._names = stems if len(set(stems)) == len(stems) else [f"{i:06d}" for i in range(len(stems))]

    def __len__(self) -> int:
        return len(self.sources)

    def frame_name(self, index: int) -> str:
        return self._names[index]

    def stamp(self, index: int) -> str:
        return file_stamp(self.sources[index]) if index < len(self.sources) else ""

    def frames(
        self, start: int = 0, end: int | None = None, step: int = 1, *, skip_broken: bool = False, seek: bool = True
    ) -> Iterator[ClipFrame]:
        shape = None
        for index in range(len(self))[start:end:step]:
            try:
                image = self._read(index)
            except (FormatError, InputError) as error:
                if skip_broken:
                    yield ClipFrame(index, self.frame_name(index), float(index / self.rate), LOST, lost=True)
                    continue
                raise VideoError(f"frame {index} ({self._of(index)}) cannot be read: {error}") from error
            if shape is not None and image.shape != shape:
                raise VideoError(
                    f"frame {index} ({self._of(index)}) is {size_text(image.shape)} and those before it are "
                    f"{size_text(shape)}; frames must be of one size"
                )
            shape = image.shape
            yield ClipFrame(index, self.frame_name(index), float(index / self.rate), image)

    def excerpts(
        self, places: int, step: int, *, start: int = 0, end: int | None = None
    ) -> Iterator[tuple[Frame, Frame]]:
        last = min(len(self), end or len(self)) - 1 - step
        for index in spread(start, last, places):
            with contextlib.suppress(FormatError, InputError):
                pair = self._read(index), self._read(index + step)
                if pair[0].shape == pair[1].shape:
                    yield pair

    def _read(self, index: int) -> Frame:
        return read_image(self.sources[index], white=self._white)

    def _of(self, index: int) -> str:
        """Describe where a frame comes from, for messages."""
        return self.sources[index].name


class StackClip(PictureClip):
    """A clip in a TIFF with one page per frame, at 25 frames per second, as microscopes and PIV cameras write it."""

    def __init__(self, path: Path, *, white: int | None = None):
        """
        Raises:
            VideoError: the file is no TIFF, or is damaged.
        """
        self._stamp = file_stamp(path)
        try:
            self._pages = ImageStack(path, white=white)
        except (FormatError, InputError) as error:
            raise VideoError(str(error)) from error
        super().__init__([path], name=path.stem)

    def __len__(self) -> int:
        return len(self._pages)

    def frame_name(self, index: int) -> str:
        return f"{index:06d}"

    def stamp(self, index: int) -> str:
        return self._stamp

    def _read(self, index: int) -> Frame:
        return self._pages.read(index)

    def _of(self, index: int) -> str:
        return f"page {index + 1} of {self.sources[0].name}"
