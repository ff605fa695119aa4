"""Submission folders against a checker written from what the servers publish, which uses none of the package's code."""

import re
import struct
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from opticflow.errors import InputError
from opticflow.evaluate import submission
from opticflow.evaluate.submission import check_submission, write_submission

HEIGHT, WIDTH = 10, 14


def frame(seed: int, width: int = WIDTH) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (HEIGHT, width, 3), dtype=np.uint8)


def estimate(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """A flow that depends on the frames, so that files can be told apart."""
    flow = np.zeros((*first.shape[:2], 2), dtype=np.float32)
    flow[..., 0] = first[0, 0, 0] + 0.25
    flow[..., 1] = -float(second[0, 0, 0])
    return flow


def sintel_files() -> dict:
    """Two scenes of three and two frames in both passes."""
    return {
        f"test/{part}/{scene}/frame_{number:04d}.png": frame(number)
        for part in ("clean", "final")
        for scene, count in (("ambush_1", 3), ("cave_3", 2))
        for number in range(1, count + 1)
    }


def kitti_files() -> dict:
    """Pairs of different sizes."""
    return {
        f"testing/image_2/{number:06d}_{time}.png": frame(number, WIDTH + number)
        for number in (0, 1)
        for time in (10, 11)
    }


def spring_files() -> dict:
    return {
        f"test/0003/frame_{camera}/frame_{camera}_{number:04d}.png": frame(number)
        for camera in ("left", "right")
        for number in (1, 2, 3)
    }


FILES = {"sintel": sintel_files, "kitti-2015": kitti_files, "spring": spring_files}
COUNTS = {"sintel": 6, "kitti-2015": 2, "spring": 8}


def read_flo(path: Path) -> np.ndarray:
    """Middlebury's description of .flo: a tag, width, height, then u and v of each pixel, row by row."""
    data = path.read_bytes()
    tag, width, height = struct.unpack("<fii", data[:12])
    assert tag == pytest.approx(202021.25)
    assert len(data) == 12 + 8 * width * height
    return np.frombuffer(data, "<f4", offset=12).reshape(height, width, 2)


def read_png(path: Path) -> np.ndarray:
    """A 16 bit RGB PNG by its specification, with the filters none, sub, up, average and Paeth."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    position, packed, header = 8, b"", b""
    while position < len(data):
        (length,) = struct.unpack(">I", data[position : position + 4])
        kind, body = data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        header, packed = (body, packed) if kind == b"IHDR" else (header, packed + body * (kind == b"IDAT"))
        position += 12 + length
    width, height, depth, colour, *_, interlace = struct.unpack(">IIBBBBB", header)
    assert (depth, colour, interlace) == (16, 2, 0), "wanted 3 channels of 16 bit"
    raw, stride = zlib.decompress(packed), 6 * width
    rows = np.zeros((height + 1, stride + 6), dtype=np.int64)  # a row and a pixel of zeros before the first
    for y in range(height):
        method, *values = raw[y * (stride + 1) : (y + 1) * (stride + 1)]
        for x, value in enumerate(values):
            left, up, corner = rows[y + 1, x], rows[y, x + 6], rows[y, x]
            nearest = min((left, up, corner), key=lambda c: abs(left + up - corner - c))
            rows[y + 1, x + 6] = (value + (0, left, up, (left + up) // 2, nearest)[method]) % 256
    pairs = rows[1:, 6:].reshape(height, width, 3, 2)
    return pairs[..., 0] * 256 + pairs[..., 1]


def accept_sintel(folder: Path, frames: Path) -> None:
    """The folders clean and final hold a folder a scene, and in it a .flo for every frame but the last."""
    assert sorted(path.name for path in folder.iterdir()) == ["clean", "final"]
    for part in ("clean", "final"):
        scenes = sorted(path.name for path in (frames / "test" / part).iterdir())
        assert sorted(path.name for path in (folder / part).iterdir()) == scenes
        for scene in scenes:
            count = len(list((frames / "test" / part / scene).iterdir()))
            names = sorted(path.name for path in (folder / part / scene).iterdir())
            assert names == [f"frame{number:04d}.flo" for number in range(1, count)]
            for number, name in enumerate(names, start=1):
                expected = estimate(frame(number), frame(number + 1))
                assert (read_flo(folder / part / scene / name) == expected).all()


def accept_kitti(folder: Path, frames: Path) -> None:
    """flow/000000_10.png ...: u and v are (value - 2^15) / 64, the third channel is 1 where valid."""
    names = sorted(path.name for path in (frames / "testing" / "image_2").glob("*_10.png"))
    assert [path.name for path in folder.iterdir()] == ["flow"]
    assert sorted(path.name for path in (folder / "flow").iterdir()) == names
    for number, name in enumerate(names):
        values = read_png(folder / "flow" / name)
        assert values.shape == (HEIGHT, WIDTH + number, 3)
        assert (values[..., 2] == 1).all()
        assert (
            (values[..., :2] - 2**15) / 64 == estimate(frame(number, WIDTH + number), frame(number, WIDTH + number))
        ).all()


def accept_spring(folder: Path, frames: Path) -> None:
    """####/flow_{FW|BW}_{left|right}/flow_{FW|BW}_{left|right}_####.flo5, a data set `flow` of the frames' size."""
    pattern = re.compile(r"\d{4}/flow_(FW|BW)_(left|right)/flow_\1_\2_(\d{4})\.flo5")
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    wanted = set()
    for camera in ("left", "right"):
        last = len(list((frames / "test" / "0003" / f"frame_{camera}").iterdir()))
        wanted |= {f"0003/flow_FW_{camera}/flow_FW_{camera}_{n:04d}.flo5" for n in range(1, last)}
        wanted |= {f"0003/flow_BW_{camera}/flow_BW_{camera}_{n:04d}.flo5" for n in range(2, last + 1)}
    assert set(names) == wanted
    for name in names:
        direction, _, number = pattern.fullmatch(name).groups()
        other = int(number) + (1 if direction == "FW" else -1)
        with h5py.File(folder / name) as file:
            flow = file["flow"][()]
        assert flow.shape == (HEIGHT, WIDTH, 2)
        assert np.isfinite(flow).all()
        assert (flow == estimate(frame(int(number)), frame(other))).all()


ACCEPT = {"sintel": accept_sintel, "kitti-2015": accept_kitti, "spring": accept_spring}


@pytest.fixture
def small(monkeypatch):
    """The benchmarks with as few files as the tiny copies have."""
    from dataclasses import replace

    for name, count in COUNTS.items():
        monkeypatch.setitem(submission.BENCHMARKS, name, replace(submission.BENCHMARKS[name], files=count))


@pytest.mark.parametrize("name", FILES)
def test_the_server_would_take_it(name, small, write_files, tmp_path_factory):
    frames, folder = write_files(FILES[name]()), tmp_path_factory.mktemp("submission")
    files = list(write_submission(name, frames, folder, estimate))
    assert len(files) == COUNTS[name]
    ACCEPT[name](folder, frames)
    assert list(check_submission(name, frames, folder)) == []


@pytest.mark.parametrize("name", FILES)
def test_faults_are_found(name, small, write_files, tmp_path_factory):
    frames, folder = write_files(FILES[name]()), tmp_path_factory.mktemp("submission")
    files = [folder / file for file in write_submission(name, frames, folder, estimate)]
    files[0].unlink()
    assert [fault for fault in check_submission(name, frames, folder) if fault.endswith("is missing")]
    files[1].rename(files[0])
    faults = list(check_submission(name, frames, folder))
    assert len(faults) == (2 if name == "kitti-2015" else 1)  # KITTI's frames differ in size
    files[0].write_bytes(files[0].read_bytes()[:40])
    assert any(str(files[0]) in fault for fault in check_submission(name, frames, folder))
    files[1].with_name(f"extra{files[1].suffix}").write_bytes(b"")
    assert any("belongs to no pair" in fault for fault in check_submission(name, frames, folder))


def test_gaps_and_sizes_are_found(small, write_files, tmp_path_factory):
    from opticflow.io import write_flow

    frames, folder = write_files(kitti_files()), tmp_path_factory.mktemp("submission")
    first, second = (folder / file for file in write_submission("kitti-2015", frames, folder, estimate))
    flow = np.zeros((HEIGHT, WIDTH, 2), dtype=np.float32)
    write_flow(first, flow, flow[..., 0] > 0)
    write_flow(second, flow)
    faults = list(check_submission("kitti-2015", frames, folder))
    assert faults == [
        f"flow/000000_10.png has {HEIGHT * WIDTH} pixels without flow; wanted none",
        f"flow/000001_10.png is {WIDTH}x{HEIGHT}; its frames are {WIDTH + 1}x{HEIGHT}",
    ]


def test_values_beyond_the_format_are_set_to_its_limit(small, write_files, tmp_path_factory):
    frames, folder = write_files(kitti_files()), tmp_path_factory.mktemp("submission")
    list(write_submission("kitti-2015", frames, folder, lambda a, b: estimate(a, b) * np.float32(1e6)))
    values = read_png(folder / "flow" / "000000_10.png")
    assert (values[..., 0] == 65535).all()
    assert (values[..., 1] == 0).all()


def test_a_copy_with_too_few_pairs_is_noticed(write_files, tmp_path_factory):
    frames, folder = write_files(kitti_files()), tmp_path_factory.mktemp("submission")
    list(write_submission("kitti-2015", frames, folder, estimate))
    (fault,) = check_submission("kitti-2015", frames, folder)
    assert "has 2 test pairs; a full submission has 200" in fault


def test_what_cannot_be_submitted_is_named(write_files, tmp_path):
    frames = write_files(kitti_files())
    with pytest.raises(InputError, match="no submission for 'hd1k'; wanted sintel or kitti-2015 or spring"):
        list(write_submission("hd1k", frames, tmp_path, estimate))
    with pytest.raises(InputError, match=r"flow/000000_10.png is NaN or infinite"):
        list(write_submission("kitti-2015", frames, tmp_path, lambda a, b: estimate(a, b) * np.float32(np.nan)))
