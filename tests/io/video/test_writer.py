"""Colour video, read back by PyAV and OpenCV."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from opticflow.errors import OpticflowError
from opticflow.io.video.writer import VideoWriter, join_videos

COLOURS = [np.full((31, 45, 3), (i * 8, 255 - i * 8, 90), np.uint8) for i in range(20)]


def test_odd_frames_and_their_times_come_back(tmp_path):
    times = np.cumsum(np.linspace(0.02, 0.08, 20))
    with VideoWriter(tmp_path / "a.mp4", rate=Fraction(25)) as writer:
        for image, time in zip(COLOURS, times, strict=True):
            writer.write(image, float(time))
    with av.open(str(tmp_path / "a.mp4")) as container:
        frames = list(container.decode(video=0))
    np.testing.assert_allclose([frame.time for frame in frames], times, atol=1e-3)
    for frame, image in zip(frames, COLOURS, strict=True):
        assert np.abs(frame.to_ndarray(format="rgb24")[:31, :45].astype(int) - image).mean() < 6


def test_joined_parts_equal_one_video(tmp_path):
    parts = [tmp_path / f"part{i}.mp4" for i in range(3)]
    for number, part in enumerate(parts):
        with VideoWriter(part) as writer:
            for i in range(number * 7, min(20, number * 7 + 7)):
                writer.write(COLOURS[i], i / 25)
    join_videos(parts, tmp_path / "whole.mp4")
    capture = cv2.VideoCapture(str(tmp_path / "whole.mp4"))
    read = []
    while (result := capture.read())[0]:
        read.append(result[1][:31, :45, ::-1])
    assert len(read) == 20
    for image, expected in zip(read, COLOURS, strict=True):
        assert np.abs(image.astype(int) - expected).mean() < 6


def test_an_error_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), VideoWriter(tmp_path / "a.mp4") as writer:
        writer.write(COLOURS[0], 0.0)
        raise ZeroDivisionError
    with pytest.raises(OpticflowError, match="no folder"), VideoWriter(tmp_path / "none" / "a.mp4"):
        pass
    assert list(tmp_path.iterdir()) == []
