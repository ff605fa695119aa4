"""Read clips, estimate their flow in constant memory, and write it as files and video."""

from opticflow.video.clip import Clip, ClipFrame, open_clip, read_video
from opticflow.video.drawing import draw_video
from opticflow.video.outputs import SAVES, parse_saves
from opticflow.video.run import ClipOptions, RunReport, run_clip, run_clip_to_video
from opticflow.video.writer import VideoWriter

__all__ = [
    "SAVES",
    "Clip",
    "ClipFrame",
    "ClipOptions",
    "RunReport",
    "VideoWriter",
    "draw_video",
    "open_clip",
    "parse_saves",
    "read_video",
    "run_clip",
    "run_clip_to_video",
]
