"""Video files made for tests, by PyAV directly."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

CODECS = {
    ".mp4": "libx264",
    ".mov": "libx264",
    ".mkv": "libx264",
    ".avi": "mpeg4",
    ".webm": "libvpx-vp9",
    ".gif": "gif",
    ".ts": "libx264",
    ".h264": "libx264",
    ".flv": "flv1",
    ".wmv": "wmv2",
    ".mpg": "mpeg2video",
}


def write_clip(
    path: Path,
    frames: Sequence[np.ndarray],
    *,
    times: Sequence[float] | None = None,
    begins: float = 0,
    rotation: int = 0,
    rate: int = 25,
    options: Mapping[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Write frames with the usual codec of the suffix, lossless where it can be. `begins` is the clock's first time."""

    def mux(packets):
        for packet in packets:
            if begins and packet.dts is not None:
                shift = round(begins / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
            container.mux(packet)

    with av.open(str(path), "w") as container:
        container.metadata.update(metadata or {})
        codec = CODECS[path.suffix]
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = {"gif": "rgb8", "libx264": "yuv444p"}.get(codec, "yuv420p")
        if codec == "libx264":
            stream.options = {"qp": "0", "preset": "ultrafast", **(options or {})}
        if rotation:
            stream.set_display_rotation(rotation)
        if times is not None:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 90000)
        for i, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(times[i] * 90000), Fraction(1, 90000)
            mux(stream.encode(frame))
        mux(stream.encode(None))
    return path
