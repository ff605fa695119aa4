"""Spring's `.flo5`: HDF5 with one data set `flow`, H x W x 2 float32, gzip; unknown flow is NaN.

Mehl et al., "Spring: A High-Resolution High-Detail Dataset and Benchmark for Scene Flow, Optical Flow and Stereo",
CVPR 2023. Spring gives the flow of its 1920 x 1080 frames at 3840 x 2160 points; it is read as it stands.
"""

import io

import numpy as np

from opticflow.errors import FormatError, InputError
from opticflow.io.contents import DEFLATE_LIMIT, check_range
from opticflow.shapes import FlowArray, MaskArray, as_flow


def decode(data: bytes) -> tuple[FlowArray, MaskArray]:
    """Flow, zero where unknown, and where it is known.

    Raises:
        FormatError: not such a file, cut off, or without a flow.
        InputError: h5py is not installed.
    """
    h5py = _h5py()
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            stored = file.get("flow")
            if not isinstance(stored, h5py.Dataset):
                raise FormatError(f"holds {', '.join(file) or 'nothing'}; wanted a data set called flow")
            shape, dtype = stored.shape, stored.dtype
            if len(shape) != 3 or shape[2] != 2 or dtype.kind != "f" or 0 in shape:
                raise FormatError(f"holds a flow of {shape} {dtype}; wanted height x width x 2, floating point")
            if stored.nbytes > DEFLATE_LIMIT * len(data):
                raise FormatError(f"claims a flow of {shape}, more than {len(data)} bytes can hold")
            flow = stored[()]
    except FormatError:
        raise
    except Exception as error:  # what h5py raises for damaged files has no common type
        raise FormatError(f"is not an HDF5 file, or is cut off: {error}") from error
    check_range(flow)
    return as_flow(flow)


def encode(flow: FlowArray, valid: MaskArray) -> bytes:
    """The contents of a file.

    Raises:
        InputError: h5py is not installed.
    """
    h5py = _h5py()
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        values = np.where(valid[..., None], flow, np.float32(np.nan))
        # level 5 is Spring's
        file.create_dataset("flow", data=values, compression="gzip", compression_opts=5)
    return buffer.getvalue()


def _h5py():
    try:
        import h5py
    except ImportError as error:
        raise InputError(".flo5 files need h5py: pip install 'opticflow[hdf5]'") from error
    return h5py
