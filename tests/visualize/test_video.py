"""Locations of flow as video."""

import numpy as np
import pytest

import opticflow
from opticflow.errors import InputError
from opticflow.io import write_flow
from opticflow.visualize import flow_to_image
from opticflow.visualize.drawings import Drawings
from opticflow.visualize.video import draw_video


def test_a_folder_becomes_a_video_on_one_scale(tmp_path):
    (tmp_path / "flow").mkdir()
    for number in (1, 5, 10):
        write_flow(tmp_path / "flow" / f"{number}.flo", np.full((16, 24, 2), number, np.float32))
    drawn = draw_video(Drawings(tmp_path / "flow", max_flow=20.0), tmp_path / "flow.mp4")
    assert drawn.pictures == [tmp_path / "flow.mp4"] and drawn.max_flow == 20
    for picture, number in zip(opticflow.read_video(tmp_path / "flow.mp4"), (1, 5, 10), strict=True):
        expected = flow_to_image(np.full((16, 24, 2), number, np.float32), max_flow=20.0)
        assert np.abs(picture.astype(int) - expected).mean() < 4


def test_what_is_no_clip_is_refused(tmp_path):
    write_flow(tmp_path / "1.flo", np.zeros((16, 24, 2), np.float32))
    write_flow(tmp_path / "2.flo", np.zeros((16, 20, 2), np.float32))
    with pytest.raises(InputError, match="one flow file is one picture"):
        draw_video(Drawings(tmp_path / "1.flo"), tmp_path / "a.mp4")
    with pytest.raises(InputError, match=r"2\.flo is of another size"):
        draw_video(Drawings(tmp_path), tmp_path / "a.mp4")
    assert not list(tmp_path.glob("*.mp4"))
