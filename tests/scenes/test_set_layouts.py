"""Written sets, read by our own readers and by readers written here from the published layouts alone."""

import struct
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from opticflow.data.chairs import chairs_sdhom, flying_chairs
from opticflow.data.things import flying_things
from opticflow.io import read_flow, read_image
from opticflow.scenes.set_layouts import ChairsSDHomLayout, FlyingChairsLayout, FlyingThings3DLayout


def read_flo(path: Path) -> np.ndarray:
    """Middlebury's `.flo`: the float 202021.25, width, height, then u and v of each pixel, row by row."""
    data = path.read_bytes()
    tag, width, height = struct.unpack("<fii", data[:12])
    assert tag == 202021.25
    return np.array(struct.unpack(f"<{2 * width * height}f", data[12:])).reshape(height, width, 2)


def read_pfm(path: Path) -> np.ndarray:
    """PFM: `PF` or `Pf`, width and height, scale (negative: little-endian), rows from bottom to top."""
    with path.open("rb") as file:
        channels = {b"PF": 3, b"Pf": 1}[file.readline().strip()]
        width, height = map(int, file.readline().split())
        order = "<" if float(file.readline()) < 0 else ">"
        values = np.frombuffer(file.read(), f"{order}f4")
    return values.reshape(height, width, channels)[::-1]


def read_ppm(path: Path) -> np.ndarray:
    """Binary PPM: `P6`, width and height, 255, then the bytes."""
    magic, size, most, data = path.read_bytes().split(b"\n", 3)
    width, height = map(int, size.split())
    assert (magic, most) == (b"P6", b"255")
    return np.frombuffer(data, np.uint8).reshape(height, width, 3)


def test_flying_chairs(small_world, tmp_path):
    layout, world = FlyingChairsLayout(), small_world("chairs")
    for number in range(3):
        assert not layout.last(tmp_path, number).exists()
        layout.write(tmp_path, number, world[number])
        assert layout.last(tmp_path, number).is_file()
    layout.finish(tmp_path, 3)
    assert (tmp_path / "FlyingChairs_train_val.txt").read_text().split() == ["1", "2", "1"]
    for number, name in enumerate(["00001", "00002", "00003"]):
        pair = world[number]
        np.testing.assert_array_equal(read_ppm(tmp_path / f"data/{name}_img1.ppm"), pair.first)
        np.testing.assert_array_equal(read_ppm(tmp_path / f"data/{name}_img2.ppm"), pair.second)
        np.testing.assert_array_equal(read_flo(tmp_path / f"data/{name}_flow.flo"), pair.forward)
        occluded = cv2.imread(str(tmp_path / f"occlusion/{name}.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(occluded == 255, pair.first_occluded)
        instances = cv2.imread(str(tmp_path / f"instances/{name}.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(instances, pair.first_instances)
    own = flying_chairs(tmp_path, "validation")
    assert len(own) == 1
    np.testing.assert_array_equal(own[0].flow, world[1].forward)
    np.testing.assert_array_equal(own[0].second, world[1].second)
    assert len(flying_chairs(tmp_path, "training")) == 2


def test_chairs_sdhom(small_world, tmp_path):
    layout, world = ChairsSDHomLayout(), small_world("chairs-sdhom")
    for number in range(3):
        layout.write(tmp_path, number, world[number])
        assert layout.last(tmp_path, number).is_file()
    for number, split in enumerate(["train", "test", "train"]):
        pair, folder = world[number], tmp_path / "data" / split
        for frame, name in ((pair.first, "t0"), (pair.second, "t1")):
            np.testing.assert_array_equal(cv2.imread(str(folder / name / f"0000{number}.png"))[..., ::-1], frame)
        flow = read_pfm(folder / "flow" / f"0000{number}.pfm")
        np.testing.assert_array_equal(flow[..., :2], pair.forward)
        assert not flow[..., 2].any()
    assert [len(chairs_sdhom(tmp_path, split)) for split in ("train", "test")] == [2, 1]
    np.testing.assert_array_equal(chairs_sdhom(tmp_path, "train")[1].flow, world[2].forward)


@dataclass
class Moment:
    """Any frame of a sequence."""

    clean: np.ndarray
    final: np.ndarray
    into_future: np.ndarray
    into_past: np.ndarray
    hidden_in_future: np.ndarray
    hidden_in_past: np.ndarray
    instances: np.ndarray
    depth: np.ndarray
    intrinsics: np.ndarray
    extrinsics: np.ndarray


@dataclass
class Sequence:
    frames: list[Moment]


@pytest.fixture
def sequence() -> Sequence:
    """Three moments of noise. Cameras: the second stands at (1, 2, 3), turned about the vertical axis."""
    rng = np.random.default_rng(0)
    size = (40, 56)

    def moment() -> Moment:
        frames = rng.integers(0, 256, (2, *size, 3)).astype(np.uint8)
        flows = rng.normal(0, 9, (2, *size, 2)).astype(np.float32)
        masks = rng.random((2, *size)) < 0.2
        instances, depth = rng.integers(0, 300, size).astype(np.int32), rng.random(size).astype(np.float32) + 1
        return Moment(*frames, *flows, *masks, instances, depth, np.diag([50.0, 50.0, 1.0]), np.eye(4))

    frames = [moment() for _ in range(3)]
    pose = np.array([[0.6, 0, 0.8, 1], [0, 1, 0, 2], [-0.8, 0, 0.6, 3], [0, 0, 0, 1.0]])
    frames[1].extrinsics = np.linalg.inv(pose)
    return Sequence(frames)


def test_flying_things(sequence, tmp_path):
    layout = FlyingThings3DLayout()
    layout.write(tmp_path, 0, sequence)
    layout.write(tmp_path, 751, sequence)
    assert layout.last(tmp_path, 751).parent == tmp_path / "camera_data/TEST/B/0001"  # 751 = 6 * 125 + 1
    for number, frame in zip(("0006", "0007", "0008"), sequence.frames, strict=True):
        for render, picture in (("clean", frame.clean), ("final", frame.final)):
            path = tmp_path / f"frames_{render}pass" / "TRAIN/A/0000/left" / f"{number}.png"
            np.testing.assert_array_equal(cv2.imread(str(path))[..., ::-1], picture)
        flows = tmp_path / "optical_flow/TRAIN/A/0000"
        future = read_pfm(flows / "into_future/left" / f"OpticalFlowIntoFuture_{number}_L.pfm")
        past = read_pfm(flows / "into_past/left" / f"OpticalFlowIntoPast_{number}_L.pfm")
        np.testing.assert_array_equal(future[..., :2], frame.into_future)
        np.testing.assert_array_equal(past[..., :2], frame.into_past)
        depth = read_pfm(tmp_path / "depth/TRAIN/A/0000/left" / f"{number}.pfm")
        np.testing.assert_array_equal(depth[..., 0], frame.depth)
        objects = cv2.imread(str(tmp_path / f"object_index/TRAIN/A/0000/left/{number}.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(objects, frame.instances)
    own = flying_things(tmp_path, "TRAIN", directions=("into_future", "into_past"))
    assert len(own) == 4
    sample = next(own[n] for n in range(len(own)) if "A/0000/left/into_past/0007" in own[n].name)
    np.testing.assert_array_equal(sample.first, sequence.frames[1].clean)
    np.testing.assert_array_equal(sample.second, sequence.frames[0].clean)
    np.testing.assert_array_equal(sample.flow, sequence.frames[1].into_past)


def test_flying_things_cameras(sequence, tmp_path):
    """Blocks of `Frame N`, `L` and sixteen numbers; the camera's place is the last column."""
    layout = FlyingThings3DLayout()
    layout.write(tmp_path, 0, sequence)
    blocks = layout.last(tmp_path, 0).read_text().split("\n\n")
    header, left, *_ = blocks[1].splitlines()
    assert header == "Frame 7"
    pose = np.array(left.split()[1:], float).reshape(4, 4)
    np.testing.assert_allclose(pose[:3, 3], [1, 2, 3], atol=1e-7)
    np.testing.assert_allclose(-pose[:3, 2], [0.8, 0, 0.6], atol=1e-7)


def test_files_read_back_through_our_io(small_world, tmp_path):
    pair = small_world("mixed")[0]
    FlyingChairsLayout().write(tmp_path, 0, pair)
    np.testing.assert_array_equal(read_flow(tmp_path / "data/00001_flow.flo"), pair.forward)
    np.testing.assert_array_equal(read_image(tmp_path / "data/00001_img2.ppm"), pair.second)
