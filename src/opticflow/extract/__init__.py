"""Estimate the flow of clips in constant memory, and write it as files and videos."""

from opticflow.extract.outputs import SAVES, parse_saves
from opticflow.extract.run import ClipOptions, RunReport, run_clip, run_clip_to_video

__all__ = ["SAVES", "ClipOptions", "RunReport", "parse_saves", "run_clip", "run_clip_to_video"]
