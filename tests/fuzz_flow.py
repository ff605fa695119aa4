"""The readers of flow files, for `fuzzing.py`."""

import io
import struct
import zipfile
import zlib
from pathlib import Path

import cv2
import h5py
import numpy as np

from fuzzing import Target
from opticflow.io import FLOW_FORMATS, read_flow_with_mask
from opticflow.shapes import as_flow

_FLOW = np.random.default_rng(0).integers(-999, 999, (9, 7, 2)).astype(np.float32) / 64
LIBPNG = r"(libpng (error|warning): .*\n)+"
_OPENEXR = r"(<Python Stream>: \(EXR_ERR_.*\n)+"
_KNOWN = np.random.default_rng(1).random((9, 7)) < 0.7


def targets() -> list[Target]:
    found = []
    for suffix, known in FLOW_FORMATS.items():
        if suffix not in (".h5", ".hdf5"):
            seeds = [known.encode(*as_flow(_FLOW, valid)) for valid in (None, _KNOWN)]
            found.append(Target(suffix[1:], suffix, seeds, _read, noise=_OPENEXR if suffix == ".exr" else ""))
    half = [known.encode_half(*as_flow(_FLOW)) for known in FLOW_FORMATS.values() if known.encode_half]
    return [
        *found,
        Target("npz of others", ".npz", [half[0], *_archives()], _read),
        Target("npz with whole checksums", ".npz", _arrays(), _read, _archive),
        Target("npy of others", ".npy", _arrays(), _read),
        Target("hdf5 of others", ".h5", [_hdf5(**options) for options in _HDF5], _read),
        Target("png with whole checksums", ".png", _pngs(), _read, with_checksums, LIBPNG),
        Target("exr in half precision", ".exr", [half[1]], _read, noise=_OPENEXR),
    ]


def _read(path: Path) -> None:
    flow, valid = read_flow_with_mask(path)
    assert flow.ndim == 3 and flow.shape[2] == 2 and flow.dtype == np.float32 and np.isfinite(flow).all()
    assert valid.shape == flow.shape[:2] and valid.dtype == np.bool_ and not flow[~valid].any()


def _saved(save, *arrays, **named) -> bytes:
    buffer = io.BytesIO()
    save(buffer, *arrays, **named)
    return buffer.getvalue()


def _archives() -> list[bytes]:
    return [
        _saved(np.savez, _FLOW),
        _saved(np.savez_compressed, u=_FLOW[..., 0], v=_FLOW[..., 1], valid=_KNOWN.astype(np.uint8)),
    ]


def _arrays() -> list[bytes]:
    return [
        _saved(np.save, array)
        for array in (_FLOW, _FLOW.transpose(2, 0, 1)[None], np.asfortranarray(_FLOW), _FLOW.astype(">f8"))
    ]


def _archive(array: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("flow.npy", array)
    return buffer.getvalue()


_HDF5 = (
    {},
    {"chunks": (4, 3, 2)},
    {"chunks": (4, 3, 2), "compression": "lzf"},
    {"chunks": (5, 7, 1), "compression": "gzip", "shuffle": True},
    {"chunks": (9, 7, 2), "fletcher32": True},
    {"maxshape": (None, 7, 2)},
)


def _hdf5(**options) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver="latest" if len(options) == 2 else "earliest") as file:
        file.create_dataset("flow", data=_FLOW, **options)
        file.create_group("more")["depth"] = _FLOW[..., 0]
    return buffer.getvalue()


def _pngs() -> list[bytes]:
    of_virtual_kitti = np.dstack([np.where(_KNOWN, 65535, 0), _FLOW * 64 + 32768]).astype(np.uint16)
    return [
        FLOW_FORMATS[".png"].encode(*as_flow(_FLOW, _KNOWN)),
        cv2.imencode(".png", of_virtual_kitti)[1].tobytes(),
    ]


def with_checksums(data: bytes) -> bytes:
    """A PNG whose chunks have the right checksums, as far as their lengths can be followed."""
    fixed, position = bytearray(data), 8
    while position + 12 <= len(fixed):
        end = position + 12 + int.from_bytes(fixed[position : position + 4])
        if end > len(fixed):
            break
        fixed[end - 4 : end] = struct.pack(">I", zlib.crc32(fixed[position + 4 : end - 4]))
        position = end
    return bytes(fixed)
