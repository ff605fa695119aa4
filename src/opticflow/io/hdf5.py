"""Spring's `.flo5`, also called `.h5` or `.hdf5`: HDF5 with a data set `flow`, H x W x 2 float32, gzip; unknown flow
is NaN. A data set of another name is read if it is the only one.

Mehl et al., "Spring: A High-Resolution High-Detail Dataset and Benchmark for Scene Flow, Optical Flow and Stereo",
CVPR 2023. Spring gives the flow of its 1920 x 1080 frames at 3840 x 2160 points; it is read without a change of size.

A data set that is stored in another file, by a link, external storage or a virtual layout, is refused: a flow file must
not choose which files of the machine are read.
"""

import io
import math
import zlib

import numpy as np

from opticflow.errors import FormatError, InputError
from opticflow.io.contents import DEFLATE_LIMIT, check_flow_array, flow_array
from opticflow.io.limits import check_memory
from opticflow.shapes import FlowArray, MaskArray, as_flow

_DEFLATE = 1
_FILTERS = {_DEFLATE, 2, 3, 32000}
"""Filters that h5py writes without plug-ins: deflate (gzip), shuffle, Fletcher's checksum, LZF."""
_HARMLESS = 10**8
"""Bytes up to which a chunk may be unpacked without a check."""


def decode(data: bytes) -> tuple[FlowArray, MaskArray]:
    """Return the flow, zero where unknown, and the mask where it is known.

    Raises:
        FormatError: not such a file, cut off, without a flow, with a flow that is partly missing or stored in another
            file, or one that takes more memory than `opticflow.io.limits` allows.
        InputError: h5py is not installed.
    """
    h5py = _h5py()
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            names = list(file)
            if "flow" not in names and len(names) != 1:
                raise FormatError(
                    f"holds {', '.join(names[:9]) or 'nothing'}; wanted a data set called flow, or only one"
                )
            name = "flow" if "flow" in names else names[0]
            if not isinstance(file.get(name, getlink=True), h5py.HardLink):
                raise FormatError(f"holds a link in place of the data set {name}; wanted the flow itself")
            if not isinstance(stored := file[name], h5py.Dataset):
                raise FormatError(f"holds a group called {name}; wanted a data set")
            check_flow_array(stored.shape, stored.dtype)
            if stored.nbytes > DEFLATE_LIMIT * len(data):
                raise FormatError(f"claims a flow of {stored.shape}, more than {len(data)} bytes can hold")
            # 9 bytes per value: float32 twice, and masks
            check_memory(
                f"a flow of {stored.shape} {stored.dtype}", len(data) + stored.nbytes + 9 * math.prod(stored.shape)
            )
            _check_storage(stored, data)
            flow = stored[()]
    except FormatError:
        raise
    except Exception as error:  # h5py's errors for damaged files have no common type
        raise FormatError(f"is not an HDF5 file, or is cut off: {error}") from error
    return as_flow(flow_array(flow))


def encode(flow: FlowArray, valid: MaskArray) -> bytes:
    """Return the contents of a file.

    Raises:
        InputError: h5py is not installed.
    """
    h5py = _h5py()
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        values = np.where(valid[..., None], flow, np.float32(np.nan))
        # Spring uses compression level 5
        file.create_dataset("flow", data=values, compression="gzip", compression_opts=5)
    return buffer.getvalue()


def _check_storage(stored, data: bytes) -> None:
    """Raise an error for a data set whose values are not all in this file: HDF5 would fill in zeros, or read other
    files."""
    if stored.is_virtual or stored.external:
        raise FormatError("refers to another file for its flow; wanted the flow itself")
    if stored.chunks is None:
        # without chunks the values are one block, which must be written in full
        if (written := stored.id.get_storage_size()) != stored.nbytes:
            raise FormatError(
                f"holds {written} of the {stored.nbytes} bytes of its flow; the others were never written"
            )
        return
    plist = stored.id.get_create_plist()
    filters = [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]
    if len(set(filters)) != len(filters) or not _FILTERS.issuperset(filters):
        raise FormatError(f"has a flow packed by the HDF5 filters {filters}; wanted gzip or LZF, once, or none")
    # number of chunks, rounded up along each axis
    wanted = math.prod(-(-size // chunk) for size, chunk in zip(stored.shape, stored.chunks, strict=True))
    found = stored.id.get_num_chunks()
    if found != wanted:
        raise FormatError(f"holds {found} of the {wanted} pieces (chunks) of its flow; the others were never written")
    pieces = []
    stored.id.chunk_iter(pieces.append)
    places = {piece.chunk_offset for piece in pieces}
    # a chunk begins at a multiple of its size along each axis
    grid = [range(0, size, chunk) for size, chunk in zip(stored.shape, stored.chunks, strict=True)]
    if len(places) != wanted or not all(x in line for place in places for x, line in zip(place, grid, strict=True)):
        raise FormatError("has pieces (chunks) of its flow in places where none can be, and others that are missing")
    size = math.prod(stored.chunks) * stored.dtype.itemsize  # bytes of an unpacked chunk
    check_memory(f"pieces (chunks) of {stored.chunks} {stored.dtype}", len(data) + stored.nbytes + 2 * size)
    for piece in pieces:  # HDF5 unpacks all that a chunk holds, even if it is more than its size
        if _DEFLATE in filters and DEFLATE_LIMIT * piece.size > _HARMLESS:
            packed = memoryview(data)[piece.byte_offset : piece.byte_offset + piece.size]
            if len(zlib.decompressobj().decompress(packed, size + 1)) > size:
                raise FormatError(f"has a piece (chunk) of its flow that holds more than the {size} bytes it claims")


def _h5py():
    try:
        import h5py
    except ImportError as error:
        raise InputError(".flo5 files need h5py: pip install 'opticflow[hdf5]'") from error
    return h5py
