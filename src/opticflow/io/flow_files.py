"""Read and write flow files; the suffix chooses the format, from one table."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from opticflow.errors import FormatError, InputError
from opticflow.io import exr, hdf5, kitti, middlebury, numpy_files, pfm
from opticflow.io.atomic import write_bytes
from opticflow.io.contents import one_line, read_bytes
from opticflow.shapes import FlowArray, MaskArray, MaskLike, as_flow

Encode = Callable[[FlowArray, MaskArray], bytes]
Decode = Callable[[bytes], tuple[FlowArray, MaskArray]]


@dataclass(frozen=True)
class FlowFormat:
    """A flow format: the functions that read and write it. Flow is zero here where it is unknown."""

    name: str
    """Its name in `opticflow estimate --save`."""
    decode: Decode
    encode: Encode
    encode_half: Encode | None = None
    """`encode` in half precision; None if the format has none."""
    rounding: str = ""
    """How `encode` rounds known values, in words; empty if it does not."""
    bytes_per_pixel: int = 8
    """Size of a file, at most; most formats compress."""


FLOW_FORMATS: dict[str, FlowFormat] = {
    ".flo": FlowFormat("flo", middlebury.decode, middlebury.encode),
    ".png": FlowFormat("kitti", kitti.decode, kitti.encode, rounding="rounded to 1/64 px", bytes_per_pixel=6),
    ".pfm": FlowFormat("pfm", pfm.decode, pfm.encode, bytes_per_pixel=12),
    ".npz": FlowFormat("npz", numpy_files.decode_npz, numpy_files.encode_npz, numpy_files.encode_npz_half),
    ".npy": FlowFormat("npy", numpy_files.decode_npy, numpy_files.encode_npy),
    ".flo5": FlowFormat("flo5", hdf5.decode, hdf5.encode),
    ".h5": FlowFormat("h5", hdf5.decode, hdf5.encode),
    ".hdf5": FlowFormat("hdf5", hdf5.decode, hdf5.encode),
    ".exr": FlowFormat("exr", exr.decode, exr.encode, exr.encode_half),
}
FLOW_SUFFIXES = tuple(FLOW_FORMATS)


def flow_format(path: str | os.PathLike[str]) -> FlowFormat:
    """Return the format that belongs to the suffix of a path.

    Raises:
        FormatError: the suffix is not in the table.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in FLOW_FORMATS:
        if Path(path).is_dir():
            raise FormatError(f"{path} is a folder; give the name of a file")
        found = f"the suffix {suffix!r}" if suffix else "no suffix"
        raise FormatError(f"{path} has {found}, which is no flow format; wanted one of {', '.join(FLOW_SUFFIXES)}")
    return FLOW_FORMATS[suffix]


def read_flow(path: str | os.PathLike[str]) -> FlowArray:
    """Read a flow file of any known format.

    Returns:
        Flow in pixels, u right, v down, top row first; NaN where it is unknown.

    Raises:
        FormatError: the file is missing, damaged, cut off or of another kind.
        InputError: the format needs an extra that is not installed.

    Example:
        >>> flow = opticflow.read_flow("flow.flo")
        >>> flow.shape
        (64, 96, 2)
    """
    flow, valid = read_flow_with_mask(path)
    # H x W x 2; arrays for users mark unknown flow by NaN, decoders by zero and a mask
    np.copyto(flow, np.nan, where=~valid[..., None])
    return flow


def read_flow_with_mask(path: str | os.PathLike[str]) -> tuple[FlowArray, MaskArray]:
    """Read a flow file of any known format.

    Returns:
        Flow in pixels, u right, v down, top row first, zero where it is unknown; and the mask of known pixels.

    Raises:
        FormatError: the file is missing, damaged, cut off or of another kind.
        InputError: the format needs an extra that is not installed.

    Example:
        >>> flow, known = opticflow.read_flow_with_mask("flow.flo")
        >>> bool(known.all())
        True
    """
    decode = flow_format(path).decode
    data = read_bytes(path)
    try:
        return decode(data)
    except FormatError as error:
        raise FormatError(f"{path} {one_line(error)}") from error


def write_flow(
    path: str | os.PathLike[str],
    flow: Shaped[np.ndarray, "height width channels"],
    valid: MaskLike | None = None,
    *,
    half: bool = False,
) -> None:
    """Write a flow file; the suffix chooses the format. The file appears whole or not at all.

    Args:
        path: one of the suffixes of `FLOW_SUFFIXES`; the folder must exist.
        flow: H x W x 2, in pixels; pixels that are not finite are unknown.
        valid: H x W bool, true where the flow is known; if not given, where it is finite.
        half: store in half precision (`.npz` and `.exr`): half the size, 11 significant bits.

    Raises:
        FormatError: an unknown suffix, values that the format cannot hold, or a file that cannot be written.
        InputError: `flow` or `valid` is no flow or mask, the format has no half precision, or an extra is not
            installed.

    Example:
        >>> opticflow.write_flow("flow.flo", flow)
        >>> opticflow.write_flow("small.npz", flow, half=True)
    """
    chosen = flow_format(path)
    encode = chosen.encode_half if half else chosen.encode
    if encode is None:
        known = ", ".join(suffix for suffix, other in FLOW_FORMATS.items() if other.encode_half)
        raise InputError(f"{Path(path).suffix} has no half precision; it is for {known}")
    try:
        data = encode(*as_flow(flow, valid))
    except FormatError as error:
        raise FormatError(f"{path} {error}") from error
    write_bytes(path, data)
