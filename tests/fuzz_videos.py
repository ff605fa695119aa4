"""The reader of videos, for `fuzzing.py`."""

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from clips import write_clip
from fuzzing import Target
from opticflow.errors import VideoError
from opticflow.io.video import open_clip
from pictures import moving

_FRAMES = moving(24, 32, 10)
_SUFFIXES = (".mp4", ".mov", ".mkv", ".avi", ".webm", ".gif", ".ts", ".flv", ".h264")


def targets() -> list[Target]:
    """One for each container."""
    return [Target(suffix[1:], suffix, [*_clips(suffix)], _read, seconds=10) for suffix in _SUFFIXES]


def _clips(suffix: str) -> Iterator[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        for number, how in enumerate(({}, {"options": {"g": "4", "qp": "30"}}, {"metadata": {"title": "a clip"}})):
            yield write_clip(Path(folder, f"{number}{suffix}"), _FRAMES, **how).read_bytes()


def _read(path: Path) -> None:
    clip = open_clip(path)
    for first, second in clip.excerpts(3, 2):
        assert first.shape == second.shape and first.dtype == np.uint8
    with suppress(VideoError):
        _check(clip.frames(skip_broken=True))
    _check(clip.frames())


def _check(frames) -> None:
    shape, time = None, -1.0
    for frame in frames:
        assert frame.time > time and frame.image.dtype == np.uint8
        assert frame.image.shape == (0, 0, 3) if frame.lost else frame.image.shape == (shape or frame.image.shape)
        shape, time = shape if frame.lost else frame.image.shape, frame.time
