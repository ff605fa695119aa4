"""Flow files, against the readers and writers of others."""

import io
import os
import struct
from pathlib import Path

import cv2
import h5py
import hypothesis.extra.numpy as arrays
import numpy as np
import OpenEXR
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opticflow.errors import FormatError, InputError, OpticflowError
from opticflow.io import FLOW_FORMATS, FLOW_SUFFIXES, read_flow, read_flow_with_mask, write_flow
from opticflow.shapes import as_flow


def some_flow(height: int = 5, width: int = 7, seed: int = 0) -> np.ndarray:
    """Multiples of 1/64 px, which every format holds exactly; one pixel unknown."""
    steps = np.random.default_rng(seed).integers(-32000, 32000, (height, width, 2))
    flow = (steps / 64).astype(np.float32)
    flow[height // 2, width // 2] = np.nan
    return flow


@st.composite
def flows_with_masks(draw):
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    steps = draw(arrays.arrays(np.int32, (*shape, 2), elements=st.integers(-512 * 64, 512 * 64 - 1)))
    return (steps / 64).astype(np.float32), draw(arrays.arrays(np.bool_, shape))


@pytest.mark.parametrize("suffix", FLOW_SUFFIXES)
@given(flow_and_valid=flows_with_masks())
@settings(max_examples=40, deadline=None)
def test_what_is_written_is_read_again(suffix, flow_and_valid):
    flow, valid = flow_and_valid
    read, known = FLOW_FORMATS[suffix].decode(FLOW_FORMATS[suffix].encode(*as_flow(flow, valid)))
    np.testing.assert_array_equal(known, valid)
    np.testing.assert_array_equal(read, np.where(valid[..., None], flow, 0))


@pytest.mark.parametrize("suffix", sorted(set(FLOW_SUFFIXES) - {".png"}))
@given(
    flow=arrays.arrays(np.float32, (3, 2, 2), elements=st.floats(-(10.0**9), 10.0**9, width=32, allow_subnormal=True))
)
@settings(max_examples=40, deadline=None)
def test_float_formats_lose_nothing(suffix, flow):
    valid = np.ones((3, 2), bool)
    read, _ = FLOW_FORMATS[suffix].decode(FLOW_FORMATS[suffix].encode(flow, valid))
    np.testing.assert_array_equal(read, flow)


@pytest.mark.parametrize("suffix", [suffix for suffix, known in FLOW_FORMATS.items() if known.encode_half])
def test_half_precision_rounds_to_eleven_bits(tmp_path, suffix):
    flow = np.random.default_rng(1).normal(scale=50, size=(60, 40, 2)).astype(np.float32)
    flow[0, 0] = np.nan
    write_flow(tmp_path / f"a{suffix}", flow, half=True)
    read = read_flow(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(read, flow.astype(np.float16).astype(np.float32))
    write_flow(tmp_path / f"b{suffix}", flow)
    assert (tmp_path / f"a{suffix}").stat().st_size < (tmp_path / f"b{suffix}").stat().st_size
    with pytest.raises(FormatError, match="65504"):
        write_flow(tmp_path / f"c{suffix}", np.full((2, 2, 2), 7e4, np.float32), half=True)


def test_half_precision_elsewhere_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"\.npz, \.exr"):
        write_flow(tmp_path / "a.flo", some_flow(), half=True)


@pytest.mark.parametrize("suffix", FLOW_SUFFIXES)
def test_unknown_pixels(tmp_path, suffix):
    path = tmp_path / f"naïve flöw 流{suffix.upper()}"
    flow = some_flow()
    write_flow(path, flow)
    np.testing.assert_array_equal(read_flow(path), flow)
    read, valid = read_flow_with_mask(path)
    assert np.isfinite(read).all()
    np.testing.assert_array_equal(valid, np.isfinite(flow).all(2))
    assert list(tmp_path.iterdir()) == [path]


def test_half_known_pixels_are_unknown(tmp_path):
    flow = np.zeros((1, 2, 2), np.float32)
    flow[0, 0, 1] = np.inf
    write_flow(tmp_path / "a.flo", flow)
    np.testing.assert_array_equal(read_flow(tmp_path / "a.flo")[0], [[np.nan, np.nan], [0, 0]])


def test_flo_is_read_by_opencv(tmp_path):
    flow = np.nan_to_num(some_flow())
    write_flow(tmp_path / "a.flo", flow)
    np.testing.assert_array_equal(cv2.readOpticalFlow(str(tmp_path / "a.flo")), flow)
    cv2.writeOpticalFlow(str(tmp_path / "b.flo"), flow)
    assert (tmp_path / "a.flo").read_bytes() == (tmp_path / "b.flo").read_bytes()


def test_kitti_is_read_by_opencv(tmp_path):
    write_flow(tmp_path / "a.png", np.float32([[[1, -2.5], [511.98, 0], [3, 3]]]), np.array([[True, True, False]]))
    image = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image[0, 0], [1, 32768 - 160, 32768 + 64])  # OpenCV's order: B, G, R
    np.testing.assert_array_equal(image[0, 1], [1, 32768, 65535])
    assert image[0, 2, 0] == 0


def test_kitti_of_opencv_is_read(tmp_path):
    image = np.uint16([[[1, 32768, 32769], [0, 0, 0]]])
    cv2.imwrite(str(tmp_path / "a.png"), image)
    np.testing.assert_array_equal(read_flow(tmp_path / "a.png")[0], [[1 / 64, 0], [np.nan, np.nan]])


@pytest.mark.parametrize("value", [512.0, -512.01, 1e30])
def test_kitti_refuses_what_it_cannot_hold(tmp_path, value):
    flow = np.zeros((2, 3, 2), np.float32)
    flow[1, 2, 0] = value
    with pytest.raises(FormatError, match=r"x=2, y=1.*512.*\.flo or \.npz"):
        write_flow(tmp_path / "a.png", flow)
    flow[1, 2, 0], valid = value, np.ones((2, 3), bool)
    valid[1, 2] = False
    write_flow(tmp_path / "a.png", flow, valid)


def test_flo_refuses_known_values_that_mean_unknown(tmp_path):
    with pytest.raises(FormatError, match="1e9"):
        write_flow(tmp_path / "a.flo", np.full((1, 1, 2), 2e9, np.float32))


def test_pfm_is_read_by_opencv(tmp_path):
    flow = np.nan_to_num(some_flow())
    write_flow(tmp_path / "a.pfm", flow)
    image = cv2.imread(str(tmp_path / "a.pfm"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(image[..., ::-1][..., :2], flow)
    assert not image[..., 0].any()
    cv2.imwrite(str(tmp_path / "b.pfm"), image)
    np.testing.assert_array_equal(read_flow(tmp_path / "b.pfm"), flow)


def test_pfm_of_the_other_byte_order():
    rows = np.float32([[[1, 2, 0]], [[3, 4, 0]]])  # bottom row first
    flow, _ = FLOW_FORMATS[".pfm"].decode(b"PF\n1 2\n1.0\n" + rows.astype(">f4").tobytes())
    np.testing.assert_array_equal(flow[:, 0], [[3, 4], [1, 2]])


def test_npz_is_read_by_numpy(tmp_path):
    flow = some_flow()
    write_flow(tmp_path / "a.npz", flow)
    with np.load(tmp_path / "a.npz") as file:
        np.testing.assert_array_equal(file["flow"], flow)
        np.testing.assert_array_equal(file["valid"], np.isfinite(flow).all(2))
    write_flow(tmp_path / "b.npz", np.nan_to_num(flow))
    with np.load(tmp_path / "b.npz") as file:
        assert file.files == ["flow"]


def test_npy_is_read_by_numpy(tmp_path):
    write_flow(tmp_path / "a.npy", some_flow())
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), some_flow())
    np.save(tmp_path / "b.npy", np.asfortranarray(some_flow().astype(np.float64)))
    np.testing.assert_array_equal(read_flow(tmp_path / "b.npy"), some_flow())


def test_flo5_is_read_by_h5py(tmp_path):
    write_flow(tmp_path / "a.flo5", some_flow())
    with h5py.File(tmp_path / "a.flo5") as file:
        np.testing.assert_array_equal(file["flow"][()], some_flow())
        assert file["flow"].compression == "gzip"
    with h5py.File(tmp_path / "b.flo5", "w") as file:
        file.create_dataset("flow", data=some_flow())
    np.testing.assert_array_equal(read_flow(tmp_path / "b.flo5"), some_flow())


def test_exr_is_read_by_openexr(tmp_path):
    flow = some_flow()
    write_flow(tmp_path / "a.exr", flow)
    with OpenEXR.File(str(tmp_path / "a.exr"), separate_channels=True) as file:
        np.testing.assert_array_equal(file.channels()["R"].pixels, flow[..., 0])
        np.testing.assert_array_equal(file.channels()["G"].pixels, flow[..., 1])
    channels = {name: np.ascontiguousarray(flow[..., i]) for i, name in enumerate("RG")}
    with OpenEXR.File({"compression": OpenEXR.PIZ_COMPRESSION}, channels | {"B": channels["R"]}) as file:
        file.write(str(tmp_path / "b.exr"))
    np.testing.assert_array_equal(read_flow(tmp_path / "b.exr"), flow)


@pytest.mark.parametrize(("suffix", "module"), [(".flo5", "h5py"), (".exr", "OpenEXR")])
def test_a_missing_extra_says_what_to_install(tmp_path, monkeypatch, suffix, module):
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(InputError, match=r"pip install 'opticflow\["):
        write_flow(tmp_path / f"a{suffix}", some_flow())
    assert not list(tmp_path.iterdir())


def test_real_files_are_written_as_they_were(real_data, tmp_path):
    paths = sorted((real_data / "pairs").glob("*/gt.flo"))
    assert paths
    for path in paths:
        write_flow(tmp_path / "a.flo", *read_flow_with_mask(path))
        assert (tmp_path / "a.flo").read_bytes() == path.read_bytes(), path
    for path in sorted((real_data / "pairs").glob("*/gt_kitti.png")):
        write_flow(tmp_path / "a.png", *read_flow_with_mask(path))
        wanted, found = (cv2.imread(str(p), cv2.IMREAD_UNCHANGED) for p in (path, tmp_path / "a.png"))
        np.testing.assert_array_equal(found, wanted, err_msg=str(path))


# --- files that are not what they claim to be


def refused(path: Path) -> str:
    with pytest.raises(FormatError) as error:
        read_flow(path)
    message = str(error.value)
    assert str(path) in message and "\n" not in message and len(message) < 400
    return message


@pytest.mark.parametrize("suffix", FLOW_SUFFIXES)
def test_bad_files_of_every_format(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    assert "no file" in refused(path)
    path.write_bytes(b"")
    assert "empty" in refused(path)
    path.write_text("this is a text file\n" * 9)
    refused(path)
    path.unlink()
    path.mkdir()
    assert "folder" in refused(path)


@pytest.mark.parametrize("suffix", FLOW_SUFFIXES)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_files_cut_off(tmp_path, suffix, share):
    path = tmp_path / f"a{suffix}"
    write_flow(path, some_flow(40, 30))
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    refused(path)
    if suffix in (".flo", ".pfm", ".npy"):
        path.write_bytes(data[:-1])
        assert "cut off" in refused(path)
        path.write_bytes(data + b"x")
        refused(path)


@pytest.mark.parametrize("suffix", FLOW_SUFFIXES)
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_damaged_files_never_crash(suffix, data):
    contents = bytearray(FLOW_FORMATS[suffix].encode(*as_flow(some_flow())))
    for _ in range(data.draw(st.integers(1, 3))):
        contents[data.draw(st.integers(0, len(contents) - 1))] = data.draw(st.integers(0, 255))
    try:
        flow, valid = FLOW_FORMATS[suffix].decode(bytes(contents))
    except OpticflowError:
        return
    assert flow.shape[:2] == valid.shape


@pytest.mark.parametrize(
    ("name", "contents", "words"),
    [
        ("a.flo", b"PIEH" + struct.pack("<ii", 2**31 - 1, 2**31 - 1) + bytes(64), "claims 2147483647 x 2147483647"),
        ("a.flo", b"PIEH" + struct.pack("<ii", -4, 4) + bytes(64), "claims -4 x 4"),
        ("a.flo", b"PIEH" + struct.pack(">ii", 4, 4) + bytes(128), "claims"),
        ("a.flo", b"PIEH\x01", "cut off"),
        ("a.flo", b"HEIP" + bytes(64), "HEIP"),
        ("a.pfm", b"PF\n999999999 999999999\n-1.0\n" + bytes(64), "claims 999999999"),
        ("a.pfm", b"PF\n0 4\n-1.0\n", "claims 0 x 4"),
        ("a.pfm", b"Pf\n2 2\n-1.0\n" + bytes(16), "one channel"),
        ("a.npz", b"PK\x03\x04" + bytes(64), "npz"),
        ("a.flo5", b"\x89HDF\r\n\x1a\n" + bytes(64), "HDF5"),
        ("a.exr", b"\x76\x2f\x31\x01" + bytes(64), "OpenEXR"),
    ],
)
def test_bad_headers(tmp_path, name, contents, words):
    (tmp_path / name).write_bytes(contents)
    assert words in refused(tmp_path / name)


def test_absurd_png_is_refused_before_it_is_decoded(tmp_path):
    import zlib

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30000, 30000, 16, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + body)
    assert "30000 x 30000" in refused(tmp_path / "a.png")


def test_absurd_npy_and_hdf5_are_refused_before_they_are_allocated(tmp_path):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": (10**9, 10**9, 2)})
    (tmp_path / "a.npy").write_bytes(buffer.getvalue() + bytes(100))
    assert "claims" in refused(tmp_path / "a.npy")
    with h5py.File(tmp_path / "a.flo5", "w") as file:
        file.create_dataset("flow", shape=(10**6, 10**6, 2), dtype="f4", chunks=(64, 64, 2))
    assert "claims" in refused(tmp_path / "a.flo5")


@pytest.mark.parametrize("array", [np.zeros((4, 5)), np.zeros((3, 4, 5)), np.zeros((4, 5, 2), int), np.array([{}])])
def test_arrays_that_are_no_flow(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    assert "wanted" in refused(tmp_path / "a.npy")
    np.savez(tmp_path / "a.npz", flow=array)
    assert "wanted" in refused(tmp_path / "a.npz")


def test_npz_without_flow_and_with_a_wrong_mask(tmp_path):
    np.savez(tmp_path / "a.npz", optical=np.zeros((2, 2, 2)), depth=np.zeros((2, 2)))
    assert "optical" in refused(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", flow=np.zeros((2, 2, 2)), valid=np.zeros((3, 2), bool))
    assert "mask" in refused(tmp_path / "a.npz")


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_pictures_are_no_kitti_flow(tmp_path, channels, kind):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((4, 5, channels), kind))
    assert "not a KITTI flow file" in refused(tmp_path / "a.png")


def test_virtual_kitti_is_told_apart(tmp_path):
    """By what stands where the flow is known: 65535 for KITTI's 1. Expected values by the formula of its authors."""
    bgr = np.random.default_rng(0).integers(0, 65536, (7, 11, 3)).astype(np.uint16)
    bgr[..., 0] = np.random.default_rng(1).integers(0, 2, (7, 11)) * 65535
    cv2.imwrite(str(tmp_path / "a.png"), bgr)
    flow, valid = read_flow_with_mask(tmp_path / "a.png")
    wanted = (2.0 / (2**16 - 1.0) * bgr[..., 2:0:-1].astype("f8") - 1) * (10, 6)
    np.testing.assert_array_equal(valid, bgr[..., 0] != 0)
    np.testing.assert_allclose(flow, wanted * valid[..., None], atol=1e-5)
    for known in (1, 255):
        cv2.imwrite(str(tmp_path / "b.png"), np.dstack([np.minimum(bgr[..., 0], known), bgr[..., 1:]]))
        flow, _ = read_flow_with_mask(tmp_path / "b.png")
        np.testing.assert_array_equal(flow[valid], (bgr[..., 2:0:-1][valid] - 32768.0) / 64)


def test_what_a_file_says_of_itself_stays_one_line(tmp_path):
    """Names out of a file are neither long, nor more than one line, nor orders to a terminal."""
    names = ["a\nb", "\x1b[31m red", "c" * 5000]
    np.savez(tmp_path / "a.npz", **{name: np.zeros(3) for name in names})
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in names:
            file[name] = np.zeros(3)
    for name in ("a.npz", "a.h5"):
        assert refused(tmp_path / name).isprintable()


def test_unknown_suffixes_list_the_known(tmp_path):
    assert "is a folder" in refused(tmp_path)
    for name in ("a.floo", "a"):
        with pytest.raises(FormatError, match=r"\.flo, \.png, \.pfm"):
            read_flow(tmp_path / name)
        with pytest.raises(FormatError, match=r"\.flo, \.png, \.pfm"):
            write_flow(tmp_path / name, some_flow())


def test_only_flow_is_written(tmp_path):
    with pytest.raises(InputError, match="height x width x 2"):
        write_flow(tmp_path / "a.flo", np.zeros((4, 5, 3), np.float32))
    with pytest.raises(InputError, match="mask"):
        write_flow(tmp_path / "a.flo", np.zeros((4, 5, 2), np.float32), np.ones((5, 4), bool))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".flo5"])
def test_what_float32_cannot_hold_does_not_become_unknown(tmp_path, suffix):
    flow = np.ones((4, 5, 2))
    flow[0, 0] = np.nan
    flow[1, 1] = -1e300
    path = tmp_path / f"a{suffix}"
    if suffix == ".npy":
        np.save(path, flow)
    elif suffix == ".npz":
        np.savez(path, flow=flow)
    else:
        with h5py.File(path, "w") as file:
            file["flow"] = flow
    assert "a flow of 1e+300 px, beyond float32" in refused(path)


def test_damaged_exr_is_refused_in_silence(tmp_path, capfd):
    write_flow(tmp_path / "a.exr", some_flow(60, 80))
    contents = (tmp_path / "a.exr").read_bytes()
    for share in (0.3, 0.6, 0.95):
        (tmp_path / "b.exr").write_bytes(contents[: int(share * len(contents))])
        refused(tmp_path / "b.exr")
    assert capfd.readouterr() == ("", "")
    os.write(1, b"heard again\n")
    assert capfd.readouterr().out == "heard again\n"
