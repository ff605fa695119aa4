"""The presentation time stamps of a video's frames, read without decoding, and seeking by them."""

import contextlib
from bisect import bisect_left
from dataclasses import dataclass
from fractions import Fraction

import av
import av.container
import av.error

CONTAINERS = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "mpegts", "flv"}
"""FFmpeg's names of the containers that store a presentation time stamp with every frame and can seek by it. AVI and
raw streams store none, MPEG program streams one for several frames, and FFmpeg reports wrong ones for some ASF files.
"""
CODECS = {"h264", "hevc", "vp9", "av1", "mpeg1video", "mpeg2video", "mjpeg", "prores", "ffv1", "flv1"}
"""FFmpeg's names of the codecs that have one packet for each frame. VP8 has packets that are never shown, and MPEG-4
Visual has packets without a frame."""
MOST_SEEKS = 4
"""Number of key frames that are tried as the target of a seek."""


@dataclass(frozen=True)
class FrameTimes:
    """The presentation time stamps of all frames of a video, and which of them are key frames."""

    stamps: list[int]
    """Presentation time stamp of each frame in units of `time_base`, in the order in which the frames are shown."""
    keys: list[int]
    """Indices of the key frames, in increasing order."""
    time_base: Fraction
    """Unit of the time stamps, in seconds."""

    def seconds(self, index: int) -> float:
        """Return the presentation time of a frame in seconds, rounded as `av.VideoFrame.time` is."""
        return float(self.stamps[index]) * self.time_base.numerator / self.time_base.denominator

    def seek(self, container: av.container.InputContainer, index: int) -> tuple[int, av.Packet] | None:
        """Go to the last key frame before a frame.

        Args:
            container: the video that the times were read from. Reading goes on after the packet that is returned.
            index: the frame.

        Returns:
            The index of the key frame and its packet; None if there is no key frame before `index` or it is not found.
        """
        stream = container.streams.video[0]
        before = bisect_left(self.keys, index)
        for target in reversed(self.keys[max(0, before - MOST_SEEKS) : before]):
            key = self.keys[before - 1]
            with contextlib.suppress(av.error.FFmpegError, IndexError):
                # containers that seek by decoding time stamps go too far, as a frame is decoded before it is shown;
                # then a seek to an earlier key frame leads there
                container.seek(self.stamps[target], stream=stream)
                for packet in container.demux(stream):
                    if packet.pts == self.stamps[key]:
                        return key, packet
                    if packet.is_keyframe and packet.pts is not None and packet.pts > self.stamps[key]:
                        break
        return None


def read_frame_times(container: av.container.InputContainer) -> FrameTimes | None:
    """Read all packets of the first video stream, without decoding them.

    Returns:
        The times of all frames; None where the packets do not tell them reliably: in containers and codecs other than
        `CONTAINERS` and `CODECS`, where a packet is damaged, empty, cut away by an edit list, or without a time stamp
        of its own, where the number of packets is not the declared number of frames, and where the first frame is no
        key frame.
    """
    stream = container.streams.video[0]
    codec = stream.codec_context.codec.canonical_name
    if container.format.name not in CONTAINERS or codec not in CODECS or stream.time_base is None:
        return None
    is_key: dict[int, bool] = {}  # by time stamp, in the order of decoding
    try:
        for packet in container.demux(stream):
            if packet.size == 0 and packet.dts is None:
                break  # the end, where PyAV adds an empty packet for the decoder to give the frames that it still has
            if packet.pts is None or packet.pts in is_key:
                return None
            if packet.size == 0 or packet.is_corrupt or packet.is_discard:
                return None
            is_key[packet.pts] = packet.is_keyframe
    except av.error.FFmpegError:
        return None
    stamps = sorted(is_key)
    # what is decoded after the first key frame and shown before it may be predicted from frames that are not there
    if not stamps or stamps[0] != next(iter(is_key)) or not is_key[stamps[0]] or stream.frames not in (0, len(stamps)):
        return None
    return FrameTimes(stamps, [index for index, stamp in enumerate(stamps) if is_key[stamp]], stream.time_base)
