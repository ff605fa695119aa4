"""Files and folders of flow, drawn."""

import numpy as np
import pytest

from opticflow.errors import FormatError, InputError
from opticflow.io import read_flow, read_image, write_flow, write_image
from opticflow.visualize import draw_flow, flow_to_image
from opticflow.visualize.drawings import Drawings, draw_files


@pytest.fixture
def clip(tmp_path):
    """Three flows of growing length, named so that plain sorting gets them wrong."""
    folder = tmp_path / "clip"
    folder.mkdir()
    for number in (2, 10, 1):
        write_flow(folder / f"frame{number}.flo", np.full((6, 8, 2), number, np.float32))
    return folder


def test_one_file_is_drawn_beside_it_on_its_own_scale(clip):
    drawn = draw_files(Drawings(clip / "frame10.flo"))
    assert drawn.pictures == [clip / "frame10.color.png"]
    assert drawn.max_flow == pytest.approx(np.hypot(10, 10))
    np.testing.assert_array_equal(read_image(drawn.pictures[0]), flow_to_image(read_flow(clip / "frame10.flo")))


def test_a_folder_is_drawn_on_one_scale_in_natural_order(clip, tmp_path):
    drawn = draw_files(Drawings(clip), tmp_path / "new" / "pictures")
    assert [path.name for path in drawn.pictures] == [f"frame{n}.color.png" for n in (1, 2, 10)]
    assert drawn.max_flow == pytest.approx(np.hypot(10, 10), rel=0.011)
    for path, number in zip(drawn.pictures, (1, 2, 10), strict=True):
        flow = np.full((6, 8, 2), number, np.float32)
        np.testing.assert_array_equal(read_image(path), flow_to_image(flow, max_flow=drawn.max_flow))


def test_pictures_beside_the_flow_are_not_taken_for_flow(clip):
    first = draw_files(Drawings(clip))
    assert draw_files(Drawings(clip)) == first
    for path in clip.glob("*.flo"):
        write_flow(path.with_suffix(".png"), read_flow(path))
        path.unlink()
    assert draw_files(Drawings(clip)) == first


def test_each_flow_gets_its_frame(clip, tmp_path):
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in range(4):
        write_image(frames / f"{number}.png", np.full((6, 8, 3), 60 * number, np.uint8))
    drawn = draw_files(Drawings(clip, style="overlay", frame=frames, max_flow=20.0), tmp_path)
    assert drawn.max_flow == 20
    for number, path, length in zip(range(4), drawn.pictures, (1, 2, 10), strict=False):
        flow, frame = np.full((6, 8, 2), length, np.float32), np.full((6, 8, 3), 60 * number, np.uint8)
        np.testing.assert_array_equal(read_image(path), draw_flow(flow, "overlay", frame=frame, max_flow=20.0))
    (frames / "3.png").unlink()
    (frames / "2.png").unlink()
    with pytest.raises(InputError, match="2 frames for 3 flow files"):
        draw_files(Drawings(clip, style="overlay", frame=frames))


def test_memory_does_not_grow_with_the_clip(tmp_path):
    import tracemalloc

    flow = np.ones((128, 128, 2), np.float32)

    def peak(count: int) -> int:
        folder = tmp_path / str(count)
        folder.mkdir()
        for number in range(count):
            write_flow(folder / f"{number}.npy", flow)
        tracemalloc.start()
        draw_files(Drawings(folder))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1)
    assert peak(12) < peak(2) + flow.nbytes


def test_what_cannot_be_drawn_is_refused(clip, tmp_path):
    before = sorted(clip.iterdir())
    for target, words in (
        (tmp_path / "a.mp4", "into a video .mp4"),
        (tmp_path / "a.png", "give a folder"),
    ):
        with pytest.raises(InputError, match=words):
            draw_files(Drawings(clip), target)
    with pytest.raises(InputError, match="into pictures"):
        draw_files(Drawings(clip / "frame1.flo"), tmp_path / "a.mp4")
    with pytest.raises(FormatError, match="no picture format"):
        draw_files(Drawings(clip / "frame1.flo"), tmp_path / "a.flo")
    with pytest.raises(InputError, match="percentile"):
        draw_files(Drawings(clip, percentile=0.0))
    with pytest.raises(InputError, match="no flow file"):
        draw_files(Drawings(tmp_path))
    write_flow(tmp_path / "kitti.png", np.ones((2, 2, 2), np.float32))
    with pytest.raises(InputError, match="is the flow itself"):
        draw_files(Drawings(tmp_path / "kitti.png"), tmp_path / "kitti.png")
    (clip / "frame3.flo").write_bytes(b"PIEH")
    with pytest.raises(FormatError, match=r"frame3\.flo is cut off"):
        draw_files(Drawings(clip))
    with pytest.raises(FormatError, match=r"frame3\.flo is cut off"):
        draw_files(Drawings(clip), tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert sorted(clip.iterdir()) == sorted([*before, clip / "frame3.flo"])
    (clip / "frame3.flo").unlink()
    with pytest.raises(FormatError, match="cannot make the folder"):
        draw_files(Drawings(clip), tmp_path / "kitti.png" / "new")
    write_flow(clip / "frame3.pfm", np.ones((2, 2, 2), np.float32))
    with pytest.raises(InputError, match=r"several formats \(\.flo, \.pfm\)"):
        draw_files(Drawings(clip))
