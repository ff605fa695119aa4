"""The classical methods on motion that is known, and against OpenCV itself."""

import cv2
import numpy as np
import pytest
import torch

import opticflow
from opticflow.models.classical import DIS, Farneback, LucasKanade
from pictures import moving


@pytest.mark.parametrize(
    ("name", "limit"), [("Lucas-Kanade", 0.05), ("Horn-Schunck", 0.6), ("Farneback", 0.3), ("DIS", 0.1)]
)
def test_known_translation_is_found(name, limit):
    first, second = moving(120, 160, 2, dx=6, dy=-3)
    flow = opticflow.load(name)(first, second)[20:-20, 20:-20]
    assert np.linalg.norm(flow - (6, -3), axis=-1).mean() < limit


def test_opencv_methods_get_the_frames_unchanged():
    first, second = moving(64, 96, 2)
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (first, second)]
    expected = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(*grey, None)
    np.testing.assert_array_equal(opticflow.load("DIS")(first, second), expected)
    expected = cv2.calcOpticalFlowFarneback(*grey, None, 0.5, 3, 15, 3, 5, 1.2, 0)
    np.testing.assert_array_equal(opticflow.load("Farneback")(first, second), expected)
    assert DIS(preset="ultrafast").calculate(*grey).shape == Farneback().calculate(*grey).shape


def test_lucas_kanade_solves_the_normal_equations():
    """One step on one level, in closed form: d = A^-1 b with sums over a window, for a picture that is a plane wave."""
    y, x = np.mgrid[:24, :24]
    wave = 128 + 40 * np.sin(x / 3) + 40 * np.sin(y / 3)
    shifted = 128 + 40 * np.sin((x - 0.2) / 3) + 40 * np.sin((y + 0.1) / 3)
    frames = [torch.from_numpy(np.repeat(image[None, None], 3, 1) / 255) for image in (wave, shifted)]
    flow = LucasKanade(sigma=3, steps=3, damping=0)(*frames)[0, :, 6:-6, 6:-6]
    assert abs(flow[0].mean() - 0.2) < 0.01 and abs(flow[1].mean() + 0.1) < 0.01
