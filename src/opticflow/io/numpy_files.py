"""NumPy's own files: `.npy` holds H x W x 2; `.npz` holds it as `flow`, with the mask `valid` where some is unknown.

Unknown flow is NaN in both. Nothing is unpickled.
"""

import io
import zipfile

import numpy as np
from jaxtyping import Shaped

from opticflow.errors import FormatError
from opticflow.io.contents import check_range
from opticflow.shapes import FlowArray, MaskArray, as_flow


def decode_npy(data: bytes) -> tuple[FlowArray, MaskArray]:
    """Flow, zero where unknown, and where it is known.

    Raises:
        FormatError: not such a file, cut off, or not the array of a flow.
    """
    return as_flow(_flow_array(data))


def encode_npy(flow: FlowArray, valid: MaskArray) -> bytes:
    """The contents of a file."""
    return _npy(np.where(valid[..., None], flow, np.float32(np.nan)))


def decode_npz(data: bytes) -> tuple[FlowArray, MaskArray]:
    """Flow, zero where unknown, and where it is known.

    Raises:
        FormatError: not such a file, cut off, or without a flow.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name.removesuffix(".npy"): archive.read(name) for name in archive.namelist()}
    except Exception as error:  # what zipfile raises for damaged files has no common type
        raise FormatError(f"is not an .npz file, or is cut off: {error}") from error
    if "flow" not in members:
        raise FormatError(f"holds the arrays {', '.join(sorted(members)) or '(none)'}; wanted one called flow")
    flow = _flow_array(members["flow"])
    if "valid" not in members:
        return as_flow(flow)
    valid = _array(members["valid"])
    if valid.dtype != np.bool_ or valid.shape != flow.shape[:2]:
        raise FormatError(
            f"has a mask valid of {valid.shape} {valid.dtype}; wanted {flow.shape[:2]} bool, for a flow of {flow.shape}"
        )
    return as_flow(flow, valid)


def encode_npz(flow: FlowArray, valid: MaskArray) -> bytes:
    """The contents of a file, compressed."""
    return _npz(np.where(valid[..., None], flow, np.float32(np.nan)), valid)


def encode_npz_half(flow: FlowArray, valid: MaskArray) -> bytes:
    """The contents of a file, compressed, with the flow rounded to 11 significant bits (float16).

    Raises:
        FormatError: a known value beyond 65504 px.
    """
    return _npz(as_half(flow, valid), valid)


def as_half(flow: FlowArray, valid: MaskArray) -> Shaped[np.ndarray, "height width 2"]:
    """The flow as float16, NaN where it is unknown.

    Raises:
        FormatError: a known value beyond 65504 px.
    """
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


def _flow_array(data: bytes) -> Shaped[np.ndarray, "height width 2"]:
    array = _array(data)
    if array.ndim != 3 or array.shape[2] != 2 or array.dtype.kind != "f" or 0 in array.shape:
        raise FormatError(f"holds an array of {array.shape} {array.dtype}; wanted height x width x 2, floating point")
    check_range(array)
    return array


def _array(data: bytes) -> np.ndarray:
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(stream)
    except Exception as error:  # the header is Python source, and NumPy lets all that its parser raises through
        raise FormatError(f"does not hold a NumPy array, or is cut off: {error}") from error
    if dtype.hasobject:
        raise FormatError("holds Python objects, which are never loaded; wanted an array of numbers")
    # checked before the array is allocated
    found, wanted = len(data) - stream.tell(), dtype.itemsize * int(np.prod(shape, dtype=object))
    if found != wanted:
        raise FormatError(
            f"claims an array of {shape} {dtype}, {wanted} bytes, but has {found}; it is cut off or damaged"
        )
    stream.seek(0)
    return np.lib.format.read_array(stream, allow_pickle=False)
