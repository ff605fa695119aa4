"""NumPy's own files: `.npy` holds H x W x 2; `.npz` holds it as `flow`, with the mask `valid` where some is unknown.

Unknown flow is NaN in both. Nothing is unpickled. Files of other programs are read too: with 2 x H x W; in an `.npz`
with a single array of another name, or with `u` and `v`; and with masks of numbers.
"""

import io
import math
import zipfile
from collections.abc import Collection

import numpy as np
from jaxtyping import Shaped

from opticflow.errors import FormatError
from opticflow.io.contents import flow_array
from opticflow.io.limits import check_memory
from opticflow.shapes import FlowArray, MaskArray, as_flow

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
    (3, 0): np.lib.format.read_array_header_2_0,  # as 2.0, but for field names that are not ASCII, which no flow has
}


def decode_npy(data: bytes) -> tuple[FlowArray, MaskArray]:
    """Return the flow, zero where unknown, and the mask where it is known.

    Raises:
        FormatError: not such a file, cut off, not the array of a flow, or one that takes more memory than
            `opticflow.io.limits` allows.
    """
    return as_flow(flow_array(_array(data)))


def encode_npy(flow: FlowArray, valid: MaskArray) -> bytes:
    """Return the contents of a file."""
    return _npy(np.where(valid[..., None], flow, np.float32(np.nan)))


def decode_npz(data: bytes) -> tuple[FlowArray, MaskArray]:
    """Return the flow, zero where unknown, and the mask where it is known.

    Raises:
        FormatError: not such a file, cut off, without a flow, or one that takes more memory than `opticflow.io.limits`
            allows.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            sizes = {name.removesuffix(".npy"): archive.getinfo(name).file_size for name in archive.namelist()}
            wanted = _flow_members(sizes)
            # unpacked size of the arrays in bytes, as the archive declares it
            size = sum(sizes[name] for name in wanted)
            check_memory("arrays of a flow", len(data) + size)
            members = {name: _member(archive, name) for name in wanted}
    except FormatError:
        raise
    except Exception as error:  # zipfile's errors for damaged files have no common type
        raise FormatError(f"is not an .npz file, or is cut off: {error}") from error
    arrays = {name: _array(member) for name, member in members.items()}
    valid = arrays.pop("valid", None)
    check_memory("arrays of a flow", len(data) + 2 * size + 9 * sum(array.size for array in arrays.values()))
    if {"u", "v"} <= arrays.keys():
        u, v = arrays["u"], arrays["v"]
        if u.ndim != 2 or u.shape != v.shape or u.dtype.kind != "f" or v.dtype.kind != "f":
            raise FormatError(
                f"holds u of {u.shape} {u.dtype} and v of {v.shape} {v.dtype}; wanted height x width, floating point"
            )
        flow = flow_array(np.stack([u, v], axis=-1))  # H x W x 2
    else:
        (array,) = arrays.values()
        flow = flow_array(array)
    return as_flow(flow) if valid is None else as_flow(flow, _mask(valid, flow.shape[:2]))


def _flow_members(names: Collection[str]) -> list[str]:
    """Return the names of the arrays to read: `flow`, or `u` and `v`, or the only one; and the mask `valid`."""
    others = [name for name in names if name != "valid"]
    mask = ["valid"] if "valid" in names else []
    if "flow" in others:
        return ["flow", *mask]
    if {"u", "v"} <= set(others):
        return ["u", "v", *mask]
    if len(others) == 1:
        return others + mask
    raise FormatError(
        f"holds the arrays {', '.join(sorted(names)[:9]) or '(none)'}; wanted one called flow, or u and v, or only one"
    )


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    info = archive.getinfo(name if name in archive.NameToInfo else f"{name}.npy")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others unpack without a limit
        raise FormatError(f"holds {name} packed by method {info.compress_type}; NumPy writes stored or deflated ones")
    with archive.open(info) as file:
        return file.read(info.file_size)  # the limit stops it from unpacking more than declared


def _mask(valid: np.ndarray, shape: tuple[int, ...]) -> MaskArray:
    """Convert a mask of another program to bool: it is bool, or has the numbers 0 and 1, or 0 and 255."""
    numbers = valid.dtype.kind in "uif" and (np.isin(valid, (0, 1)).all() or np.isin(valid, (0, 255)).all())
    if valid.shape != shape or not (valid.dtype == np.bool_ or numbers):
        raise FormatError(
            f"has a mask valid of {valid.shape} {valid.dtype}; wanted {shape} bool, or numbers that are 0 and 1"
        )
    return valid.astype(np.bool_)


def encode_npz(flow: FlowArray, valid: MaskArray) -> bytes:
    """Return the contents of a file, compressed."""
    return _npz(np.where(valid[..., None], flow, np.float32(np.nan)), valid)


def encode_npz_half(flow: FlowArray, valid: MaskArray) -> bytes:
    """Return the contents of a file, compressed, with the flow rounded to 11 significant bits (float16).

    Raises:
        FormatError: a known value beyond 65504 px.
    """
    return _npz(as_half(flow, valid), valid)


def as_half(flow: FlowArray, valid: MaskArray) -> Shaped[np.ndarray, "height width 2"]:
    """Return the flow as float16, NaN where it is unknown.

    Raises:
        FormatError: a known value beyond 65504 px.
    """
    # the largest finite float16
    if (largest := float(np.abs(flow).max())) > 65504:
        raise FormatError(
            f"cannot hold a flow of {largest:.6g} px in half precision, which ends at 65504; write float32"
        )
    return np.where(valid[..., None], flow, np.float32(np.nan)).astype(np.float16)


def _npz(flow: np.ndarray, valid: MaskArray) -> bytes:
    buffer = io.BytesIO()
    if valid.all():
        np.savez_compressed(buffer, flow=flow)
    else:
        np.savez_compressed(buffer, flow=flow, valid=valid)
    return buffer.getvalue()


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _array(data: bytes) -> np.ndarray:
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        if version not in _HEADERS:
            raise FormatError(f"is an .npy of version {version}; wanted {', '.join(map(str, _HEADERS))}")
        shape, by_columns, dtype = _HEADERS[version](stream)
    except FormatError:
        raise
    except Exception as error:  # the header is a Python literal, and NumPy passes on all errors of its parser
        raise FormatError(f"does not hold a NumPy array, or is cut off: {error}") from error
    if dtype.hasobject:
        raise FormatError("holds Python objects, which are never loaded; wanted an array of numbers")
    if dtype.itemsize == 0 or len(shape) > 32 or not all(0 < size < 2**63 for size in shape):
        raise FormatError("claims an array of a shape that no flow has: wanted height x width x 2, all above 0")
    # checked before the array is made
    found, wanted = len(data) - stream.tell(), dtype.itemsize * math.prod(shape)
    if found != wanted:
        raise FormatError(
            f"claims an array of {shape} {dtype}, {wanted} bytes, but has {found}; it is cut off or damaged"
        )
    check_memory(f"an array of {shape} {dtype}", len(data) + 9 * math.prod(shape))  # float32 twice, and masks
    # a view of the data; Fortran order has the first axis innermost
    return np.frombuffer(data, dtype, offset=stream.tell()).reshape(shape, order="F" if by_columns else "C")
