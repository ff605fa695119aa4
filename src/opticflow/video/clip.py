"""Read frames from a video file, a folder or a list of pictures, with only a few in memory and none written to disk."""

import contextlib
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import SupportsIndex

import av
import av.container
import av.error
import numpy as np

from opticflow.errors import FormatError, InputError, VideoError
from opticflow.io import IMAGE_SUFFIXES, VIDEO_SUFFIXES, ImageStack, list_image_files, read_image
from opticflow.io.folders import list_files
from opticflow.io.limits import check_memory, read_limit
from opticflow.shapes import Frame
from opticflow.video.lengths import ends_early

STACK_SUFFIXES = (".tif", ".tiff")
LOST = np.zeros((0, 0, 3), np.uint8)  # the image of a frame that could not be decoded
MOST_ERRORS = 1000
"""Number of consecutive decoding errors after which the rest of a video is not read."""
CHEAPER_TO_DECODE = 250
"""Distance in frames up to which frames are decoded one by one instead of seeking: a seek ends at the key frame before
the target, and x264 sets one every 250 frames by default."""
EVEN = 8
"""Number of evenly spaced frames after which a longer interval means that frames are missing."""
BYTES_PER_PIXEL = 16
"""Bytes of memory per pixel for decoding: a frame as RGB, and the frames that a decoder keeps."""
UNKNOWN_SPACING = 32
"""Frames between excerpts from a video of unknown length."""


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
        self, start: int = 0, end: int | None = None, step: int = 1, *, skip_broken: bool = False
    ) -> Iterator[ClipFrame]:
        """Yield every `step`-th frame from `start` up to but not including `end`.

        Broken frames before `start` or from `end` on raise no error.

        Args:
            start: index of the first frame.
            end: index after the last frame.
            step: take every step-th frame.
            skip_broken: instead of raising an error, yield a frame that cannot be read, and the frames that depend on
                it, as lost frames in their places.

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
        return _stamp(self.sources[index]) if index < len(self.sources) else ""

    def frames(
        self, start: int = 0, end: int | None = None, step: int = 1, *, skip_broken: bool = False
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
                    f"frame {index} ({self._of(index)}) is {_size(image.shape)} and those before it are "
                    f"{_size(shape)}; frames must be of one size"
                )
            shape = image.shape
            yield ClipFrame(index, self.frame_name(index), float(index / self.rate), image)

    def excerpts(
        self, places: int, step: int, *, start: int = 0, end: int | None = None
    ) -> Iterator[tuple[Frame, Frame]]:
        last = min(len(self), end or len(self)) - 1 - step
        for index in _spread(start, last, places):
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
        self._stamp = _stamp(path)
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


class VideoClip(Clip):
    """A clip in a video file, decoded by FFmpeg's libraries (PyAV) and rotated upright, as players show it."""

    def __init__(self, path: Path):
        self.path = path
        self.sources = [path]
        self.name = path.stem
        self._stamp = _stamp(path)
        with self._open() as container:
            stream = container.streams.video[0]
            # 0 means that the container does not declare the number
            self.count = stream.frames or None
            self.rate = stream.average_rate or stream.guessed_rate or Fraction(25)
            self._seconds = _declared_seconds(container)
            self._format = container.format.name
            self._shares_stamps = self._format == "mpeg"  # program streams: all frames of a packet share a time stamp
            # an estimate, because the number of frames is not stored
            if self.count is None and self._seconds:
                self.count = max(1, round(self._seconds * self.rate))

    def frame_name(self, index: int) -> str:
        return f"{index:06d}"

    def stamp(self, index: int) -> str:
        return self._stamp

    def frames(
        self, start: int = 0, end: int | None = None, step: int = 1, *, skip_broken: bool = False
    ) -> Iterator[ClipFrame]:
        # decode from the first frame on even if `start` is later, so that frame indices are exact
        index, clock, shape = -1, _Clock(float(self.rate)), None
        # broken: an error since the last key frame; missing: a gap since the last frame that was yielded
        broken, missing = False, False
        with self._open() as container:
            for frame in _frames_or_errors(container):
                index += 1
                if end is not None and index >= end:
                    return
                asked = index >= start and (index - start) % step == 0
                if isinstance(frame, Exception):
                    if index >= start and not skip_broken:
                        reason = _reason(frame)
                        raise VideoError(f"frame {index} of {self.path} cannot be decoded ({reason})") from frame
                    # a lost frame keeps its time; the frames after it may be predicted from it
                    time, broken, damaged = clock.advance(None), True, True
                else:
                    # a key frame is not predicted from others, so damage before it has no effect
                    time, broken = clock.advance(frame.time), broken and not frame.key_frame
                    damaged, missing = broken or frame.is_corrupt, missing or (clock.jumped and not self._shares_stamps)
                if not asked:
                    continue
                name = self.frame_name(index)
                if isinstance(frame, Exception) or (damaged and skip_broken):
                    yield ClipFrame(index, name, time, LOST, lost=True)
                    continue
                image = _upright(frame)
                if shape is not None and image.shape != shape:
                    raise VideoError(
                        f"frame {index} of {self.path} is {_size(image.shape)} and those before it are {_size(shape)}; "
                        "frames must be of one size"
                    )
                shape = image.shape
                yield ClipFrame(index, name, time, image, damaged=damaged, after_gap=missing)
                missing = False
        self._check_end(index + 1, clock)

    def excerpts(
        self, places: int, step: int, *, start: int = 0, end: int | None = None
    ) -> Iterator[tuple[Frame, Frame]]:
        known = self._seconds is not None and self.count is not None
        count = self.count if known and self.count else start + places * UNKNOWN_SPACING
        with self._open() as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            # in seconds; the first frame need not have the time 0
            begins = float((stream.start_time or 0) * (stream.time_base or 0))
            decoded, here = container.decode(stream), -1  # here: index of the last decoded frame
            for place in _spread(start, min(count, end or count) - 1 - step, places):
                try:
                    if known and not here < place <= here + CHEAPER_TO_DECODE:
                        container.seek(int((begins + float(place / self.rate)) * av.time_base))
                        decoded = container.decode(stream)
                        first = next(decoded)
                        # a seek ends at a key frame at or before the place; its time gives its index
                        here = round(((first.time or begins) - begins) * float(self.rate))
                    else:
                        first, here = next(decoded), here + 1
                    while here < place:
                        first, here = next(decoded), here + 1
                    second = first
                    for _ in range(step):
                        second, here = next(decoded), here + 1
                    pair = _upright(first), _upright(second)
                    if pair[0].shape == pair[1].shape:
                        yield pair
                except (av.error.FFmpegError, ValueError, StopIteration):
                    if not known:
                        return
                    here = sys.maxsize  # so that the next place is reached by a seek

    @contextlib.contextmanager
    def _open(self) -> Iterator[av.container.InputContainer]:
        try:
            container = av.open(str(self.path.absolute()))  # FFmpeg takes `12:30.mp4` for a URL
        except (av.error.FFmpegError, OSError, ValueError) as error:  # ValueError: metadata that is not text
            raise VideoError(f"{self.path} cannot be opened as video ({_reason(error)})") from error
        with container:
            if not container.streams.video:
                raise VideoError(f"{self.path} has no video stream")
            codec = container.streams.video[0].codec_context
            if codec is None:
                raise VideoError(f"{self.path} is coded in a way that cannot be decoded here")
            try:
                check_memory(
                    f"frames of {codec.width} x {codec.height} pixels", codec.width * codec.height * BYTES_PER_PIXEL
                )
            except FormatError as error:
                raise VideoError(f"{self.path} {error}") from error
            codec.options = {"max_pixels": str(int(read_limit() * 1e9 / BYTES_PER_PIXEL))}  # the size may change
            yield container

    def _check_end(self, decoded: int, clock: "_Clock") -> None:
        """Raise an error for a file that is cut off.

        That is a file without frames, a GIF without its last byte, or a file that is too short in two ways: it has
        fewer frames than it declares, and it ends before its declared duration or its declared length in bytes. If no
        number of frames is known, the length in bytes decides alone. It is unknown for MPEG program and transport
        streams and for raw streams (see `ends_early`).
        """
        if decoded == 0:
            raise VideoError(f"{self.path} has no frame that can be decoded")
        if self._format == "gif" and not _ends_with(self.path, b";"):
            raise VideoError(f"{self.path} is cut off: it ends after {decoded} frames, without a GIF's last byte")
        missing = (self.count or decoded) - decoded
        end = self._seconds if self._seconds is not None else 0.0
        if self._format == "avi":  # the duration follows from the number of frames
            end = decoded and float((self.count or 0) / self.rate)
        # by time, 2 missing frames and 3 times the longest interval between frames are tolerated
        short = missing > 2 and clock.time + 3 * max(clock.longest, 1 / float(self.rate)) < end
        if short or ((missing > 0 or self.count is None) and ends_early(self.path, self._format)):
            declared = f" of the {self.count} frames that it declares" if self.count else " frames"
            raise VideoError(f"{self.path} is cut off: it ends after {decoded}{declared}")


class _Clock:
    """The presentation times of a video's frames, in seconds from the first."""

    def __init__(self, rate: float):
        self.time = -1.0
        """Time of the last frame, in seconds."""
        self.longest = 0.0
        """Longest interval between two frames, in seconds."""
        self.jumped = False
        """Whether the last frame came late, after at least `EVEN` evenly spaced frames."""
        self._rate, self._count, self._begins = rate, 0, 0.0
        self._pace, self._even = 0.0, True

    def advance(self, stamp: float | None) -> float:
        """Return the time of the next frame. Its time stamp may be missing or, as FFmpeg's guesses for AVI, go back."""
        # a frame without a time stamp is taken to be shown at the average rate
        if stamp is None:
            stamp = self._begins + self._count / self._rate
        if self._count == 0:
            self._begins = stamp
        before, self.time = self.time, stamp - self._begins
        # times always increase: a stamp that goes back is replaced by one frame interval after the last time
        if self.time <= before:
            self.time = before + 1 / self._rate
        between = self.time - before
        if self._count == 1:
            self._pace = between
        if self._count >= 1:
            self.longest = max(self.longest, between)
            # a long interval is a gap only after equal intervals; if the rate varies, long intervals are normal
            self.jumped = self._even and self._count > EVEN and between > 1.5 * self._pace
            # a gap does not make the intervals count as unequal
            self._even = self._even and (self.jumped or between < 1.2 * self._pace)
        self._count += 1
        return self.time


def _frames_or_errors(container: av.container.InputContainer) -> Iterator[av.VideoFrame | Exception]:
    """Yield every frame of the video, or the decoding error in its place."""
    stream = container.streams.video[0]
    stream.thread_type = "SLICE"  # with one thread per frame, errors would be reported some frames late
    errors = 0
    while errors < MOST_ERRORS:
        try:
            for frame in container.decode(stream):
                yield frame
                errors = 0
            return
        except (av.error.FFmpegError, ValueError) as error:  # ends the iterator, but not the decoder
            errors += 1
            yield error


def _ends_with(path: Path, end: bytes) -> bool:
    """Whether a file ends with these bytes, apart from zero bytes after them."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        return file.read().rstrip(b"\0").endswith(end)


def _stamp(path: Path) -> str:
    status = path.stat()
    # in practice these change with the contents, and the file need not be read
    return f"{path.name} {status.st_size} {status.st_mtime_ns}"


def _declared_seconds(container: av.container.InputContainer) -> float | None:
    """Return the duration that the file declares for its video stream, in seconds; None if it declares none."""
    stream = container.streams.video[0]
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    # the header of a Matroska or Flash file declares the duration of its longest stream; for others FFmpeg guesses it
    if len(container.streams) == 1 and container.duration and container.format.name in ("matroska,webm", "flv"):
        return container.duration / av.time_base
    match = re.fullmatch(r"(\d+):(\d+):([\d.]+)", stream.metadata.get("DURATION", ""))  # Matroska's tag
    return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3]) if match else None


def _upright(frame: av.VideoFrame) -> Frame:
    image = frame.to_ndarray(format="rgb24")  # H x W x 3, RGB
    # phones store the rotation in the display matrix: degrees counter-clockwise, the direction of `rot90`
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def _spread(first: int, last: int, places: int) -> list[int]:
    """Return up to `places` different integers spread over [first, last]."""
    if last < first:
        return []
    # the centres of equal parts of the range; a set, because short ranges give a number twice
    return sorted({round(first + (place + 0.5) / places * (last - first)) for place in range(places)})


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
