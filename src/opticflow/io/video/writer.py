"""Write colour video: H.264 in mp4."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np

from opticflow.errors import InputError, VideoError
from opticflow.io import atomic_path
from opticflow.shapes import Frame

_TICKS = 90_000  # ticks per second of MPEG's clock: exact for every usual frame rate


LARGEST_SIDE = 16384
"""Largest width and height that x264 takes, in pixels."""


def refuse_too_large(height: int, width: int) -> None:
    """Raise an error if frames of this size cannot be written.

    Raises:
        InputError: they are too large.
    """
    if max(height, width) > LARGEST_SIDE:
        raise InputError(
            f"frames of {width}x{height} are too large for a video (H.264), whose sides have {LARGEST_SIDE} pixels at "
            "most; write pictures instead"
        )


class VideoWriter:
    """Writes frames of one size, each with its time stamp, to an mp4 file. A context manager.

    The file appears under its name when it is complete. A side of an odd number of pixels is extended by one pixel,
    because the colour subsampling of H.264 needs even sides.

    Args:
        path: `.mp4`.
        rate: the frames per second that the file declares; frames are shown at the times given.
        quality: the constant rate factor of x264: 0 is lossless, 18 hardly differs from it, 51 is worst.

    Raises:
        VideoError: the file cannot be written.
        InputError: the frames are too large; raised at the first frame.
    """

    def __init__(self, path: Path, *, rate: Fraction = Fraction(25), quality: int = 18):
        self.path = path
        self.rate = rate
        self.quality = quality
        self._target = atomic_path(path)
        self._container = None
        self._stream = None
        self._last = -1

    def __enter__(self) -> "VideoWriter":
        temporary = self._target.__enter__()
        try:
            self._container = av.open(str(temporary), "w", format="mp4")
        except (av.error.FFmpegError, OSError) as error:
            self._target.__exit__(type(error), error, error.__traceback__)
            raise VideoError(f"{self.path} cannot be written ({error.strerror or error})") from error
        return self

    def write(self, image: Frame, time: float) -> None:
        """Append a frame that is shown from `time` on, in seconds."""
        if self._container is None:
            raise VideoError(f"{self.path} is not open for writing")
        if self._stream is None:
            refuse_too_large(image.shape[0], image.shape[1])
            self._stream = self._add_stream(image.shape[0], image.shape[1])
        # yuv420p has one colour sample for 2 x 2 pixels, so both sides must be even
        odd = image.shape[0] % 2, image.shape[1] % 2
        if any(odd):
            image = np.pad(image, ((0, odd[0]), (0, odd[1]), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        # time stamps must increase, so two frames of the same time are put one tick apart
        self._last = max(self._last + 1, round(time * _TICKS))
        frame.pts, frame.time_base = self._last, Fraction(1, _TICKS)
        try:
            self._container.mux(self._stream.encode(frame))
        except (av.error.FFmpegError, OSError) as error:
            raise VideoError(f"{self.path} cannot be written ({error.strerror or error})") from error

    def _add_stream(self, height: int, width: int):
        assert self._container is not None
        stream = self._container.add_stream("libx264", rate=self.rate)
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, _TICKS)
        # no B-frames, so that pieces can be joined; one thread, so that every run gives the same bytes
        stream.options = {"crf": str(self.quality), "preset": "veryfast", "bf": "0", "threads": "1"}
        return stream

    def __exit__(self, kind, error, traceback) -> None:
        container, self._container = self._container, None
        try:
            if container is not None:
                if self._stream is not None and kind is None:
                    # None flushes the frames that the encoder still holds
                    container.mux(self._stream.encode(None))
                container.close()
        except (av.error.FFmpegError, OSError) as failure:
            self._target.__exit__(type(failure), failure, failure.__traceback__)
            raise VideoError(f"{self.path} cannot be written ({failure.strerror or failure})") from failure
        self._target.__exit__(kind, error, traceback)


def join_videos(parts: Sequence[Path], path: Path) -> None:
    """Concatenate parts written by `VideoWriter` without encoding again. Time stamps are those of the parts.

    Raises:
        VideoError: a part cannot be read, or the file cannot be written.
    """
    with atomic_path(path) as temporary:
        try:
            with av.open(str(temporary), "w", format="mp4") as target:
                stream = None
                for part in (part for part in parts if part.stat().st_size):  # empty if all its pairs are left out
                    with av.open(str(part.absolute())) as source:
                        if stream is None:
                            stream = target.add_stream_from_template(source.streams.video[0])
                        for packet in source.demux(video=0):
                            # the last packet of `demux` is empty and only flushes a decoder
                            if packet.dts is not None:
                                packet.stream = stream
                                target.mux(packet)
        except (av.error.FFmpegError, OSError) as error:
            raise VideoError(f"{path} cannot be written ({error.strerror or error})") from error
