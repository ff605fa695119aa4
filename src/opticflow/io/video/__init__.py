"""Read the frames of clips, with only a few in memory and none written to disk, and write videos."""

from opticflow.io.video.clip import Clip, ClipFrame
from opticflow.io.video.opening import open_clip, read_video
from opticflow.io.video.picture_clips import PictureClip
from opticflow.io.video.writer import VideoWriter, join_videos

__all__ = ["Clip", "ClipFrame", "PictureClip", "VideoWriter", "join_videos", "open_clip", "read_video"]
