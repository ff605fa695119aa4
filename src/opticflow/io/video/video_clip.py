"""Clips in video files, decoded by FFmpeg's libraries (PyAV)."""

import contextlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import chain, dropwhile
from pathlib import Path

import av
import av.container
import av.error
import numpy as np

from opticflow.errors import FormatError, VideoError
from opticflow.io.limits import check_memory, read_limit
from opticflow.io.video.clip import LOST, Clip, ClipFrame, file_stamp, size_text, spread
from opticflow.io.video.clock import Clock
from opticflow.io.video.frame_times import FrameTimes, read_frame_times
from opticflow.io.video.lengths import ends_early
from opticflow.shapes import Frame

MOST_ERRORS = 1000
"""Number of consecutive decoding errors after which the rest of a video is not read."""
NEAR = 32
"""Number of frames at the beginning that are reached without a seek, because before the first seek all packets of the
file are read."""
CHEAPER_TO_DECODE = 250
"""Distance in frames up to which frames are decoded one by one instead of seeking: a seek ends at the key frame before
the target, and x264 sets one every 250 frames by default."""
BYTES_PER_PIXEL = 16
"""Bytes of memory per pixel for decoding: a frame as RGB, and the frames that a decoder keeps."""
UNKNOWN_SPACING = 32
"""Frames between excerpts from a video of unknown length."""


@dataclass(frozen=True)
class _Passed:
    """A frame that a seek has passed over, with those attributes of `av.VideoFrame` that matter for later frames."""

    time: float
    """Presentation time in seconds."""
    key_frame: bool = False
    is_corrupt: bool = False


class VideoClip(Clip):
    """A clip in a video file, decoded by FFmpeg's libraries (PyAV) and rotated upright, as players show it."""

    def __init__(self, path: Path):
        self.path = path
        self.sources = [path]
        self.name = path.stem
        self._stamp = file_stamp(path)
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
        self, start: int = 0, end: int | None = None, step: int = 1, *, skip_broken: bool = False, seek: bool = True
    ) -> Iterator[ClipFrame]:
        index, clock, shape = -1, Clock(float(self.rate)), None
        # broken: an error since the last key frame; missing: a gap since the last frame that was chosen
        broken, missing = False, False
        for index, frame in enumerate(self._decoded(start if seek else 0)):
            if end is not None and index >= end:
                return
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
            if (index - start) % step != 0:
                continue
            name = self.frame_name(index)
            if isinstance(frame, Exception) or (damaged and skip_broken):
                if index >= start:
                    yield ClipFrame(index, name, time, LOST, lost=True)
                continue
            after_gap, missing = missing, False
            # frames before `start` are chosen too, but not yielded: what is said of a frame does not depend on `start`
            if index < start or isinstance(frame, _Passed):
                continue
            image = _upright(frame)
            if shape is not None and image.shape != shape:
                raise VideoError(
                    f"frame {index} of {self.path} is {size_text(image.shape)} and those before it are "
                    f"{size_text(shape)}; frames must be of one size"
                )
            shape = image.shape
            yield ClipFrame(index, name, time, image, damaged=damaged, after_gap=after_gap)
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
            for place in spread(start, min(count, end or count) - 1 - step, places):
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
                except (av.error.FFmpegError, ValueError, IndexError, StopIteration):
                    if not known:
                        return
                    here = sys.maxsize  # so that the next place is reached by a seek

    @cached_property
    def _frame_times(self) -> FrameTimes | None:
        with self._open() as container:
            return read_frame_times(container)

    def _decoded(self, start: int) -> Iterator[av.VideoFrame | Exception | _Passed]:
        """Yield every frame of the video, or the decoding error in its place. Those before `start` may be passed over.

        After a seek, damage before the key frame is not seen. Where it makes the decoder drop several frames with one
        error, frames after it are counted right only after a seek.
        """
        times = self._frame_times if start > NEAR else None
        if times is not None:
            start = min(start, len(times.stamps) - 1)  # the last frame shows whether the file is complete
            with self._open() as container:
                frames = _frames_after_seek(container, times, start)
                if frames is not None:
                    yield from (_Passed(times.seconds(index)) for index in range(start))
                    yield from frames
                    return
        with self._open() as container:
            yield from _frames_or_errors(container)

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

    def _check_end(self, decoded: int, clock: "Clock") -> None:
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


def _frames_after_seek(
    container: av.container.InputContainer, times: FrameTimes, start: int
) -> Iterator[av.VideoFrame | Exception] | None:
    """Return the frames from `start` on, or the decoding errors in their places; None if it is not certain that a seek
    leads there."""
    found = times.seek(container, start)
    if found is None:
        return None
    key, packet = found

    def is_before_key(frame: av.VideoFrame | Exception) -> bool:
        return isinstance(frame, Exception) or (frame.pts is not None and frame.pts < times.stamps[key])

    # what is shown before a key frame but decoded after it may be predicted from frames that were passed over
    frames = dropwhile(is_before_key, _frames_or_errors(container, packet))
    for index in range(key, start + 1):
        frame = next(frames, None)
        # damage is concealed with what older frames show, and these were passed over
        if not isinstance(frame, av.VideoFrame) or frame.pts != times.stamps[index] or frame.is_corrupt:
            return None
        if index == key and not frame.key_frame:
            return None
        if index == start:
            return chain([frame], frames)
    return None


def _frames_or_errors(
    container: av.container.InputContainer, packet: av.Packet | None = None
) -> Iterator[av.VideoFrame | Exception]:
    """Yield every frame of the video, or the decoding error in its place.

    Args:
        container: the video, from where it has been read to.
        packet: the last packet that was read, if it is still to be decoded.
    """
    stream = container.streams.video[0]
    stream.thread_type = "SLICE"  # with one thread per frame, errors would be reported some frames late
    errors, begin = 0, iter([] if packet is None else [packet])
    while errors < MOST_ERRORS:
        try:
            for packet in chain(begin, container.demux(stream)):
                for frame in packet.decode():
                    yield frame
                    errors = 0
            return
        except IndexError:  # PyAV's at the end of a file with a stream that begins later than the others
            return
        except (av.error.FFmpegError, ValueError) as error:  # ends the iterator, but not the decoder
            errors += 1
            yield error


def _ends_with(path: Path, end: bytes) -> bool:
    """Whether a file ends with these bytes, apart from zero bytes after them."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        return file.read().rstrip(b"\0").endswith(end)


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


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
