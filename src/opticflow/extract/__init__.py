"""Estimate the flow of clips in constant memory, and write it as files, videos and stores."""

from opticflow.extract.flow_clip import FlowClip
from opticflow.extract.options import ClipOptions, RunReport
from opticflow.extract.outputs import OUTPUTS, output_of_file, parse_saves
from opticflow.extract.run import run_clip, run_clip_to_video, run_pair
from opticflow.extract.target import Target, find_target, run_to

__all__ = [
    "OUTPUTS",
    "ClipOptions",
    "FlowClip",
    "RunReport",
    "Target",
    "find_target",
    "output_of_file",
    "parse_saves",
    "run_clip",
    "run_clip_to_video",
    "run_pair",
    "run_to",
]
