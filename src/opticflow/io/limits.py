"""The memory limit for reading one file. A compressed file of a megabyte can contain a picture of gigabytes. So every
reader computes from the header how much memory the file needs, and refuses it before decoding if that is too much."""

import os

from opticflow.errors import FormatError, InputError

DEFAULT_READ_LIMIT = 1.0
"""Default limit in GB (10^9 bytes): enough for a picture of 16,000 x 10,000 pixels with 8 bits per channel, or a flow
of 7,680 x 4,320."""
VARIABLE = "OPTICFLOW_READ_LIMIT"
"""Environment variable that sets another limit, in GB."""

_chosen: float | None = None


def set_read_limit(gigabytes: float | None) -> None:
    """Set the memory limit for reading one file, for the whole process.

    Args:
        gigabytes: the limit in GB (10^9 bytes). None means that of the environment variable `OPTICFLOW_READ_LIMIT` or,
            without that, 1.

    Raises:
        InputError: not above zero.
    """
    global _chosen
    # `not > 0` refuses NaN too
    if gigabytes is not None and not gigabytes > 0:
        raise InputError(f"the limit for reading a file is {gigabytes} GB; wanted a number above 0")
    _chosen = gigabytes


def read_limit() -> float:
    """Return the memory limit for reading one file, in GB (10^9 bytes).

    Raises:
        InputError: the environment variable holds no number above 0.
    """
    if _chosen is not None:
        return _chosen
    text = os.environ.get(VARIABLE, "")
    if not text.strip():
        return DEFAULT_READ_LIMIT
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise InputError(f"{VARIABLE} is {text!r}; wanted a number of GB above 0")
    return value


def check_memory(what: str, needed: int) -> None:
    """Raise an error if reading a file needs more memory than the limit.

    Args:
        what: what the file holds, such as `a picture of 9 x 5 pixels`.
        needed: largest number of bytes in use at one time while it is read.

    Raises:
        FormatError: more than the limit.
        InputError: see `read_limit`.
    """
    if needed > (limit := read_limit()) * 1e9:
        raise FormatError(
            f"holds {what}, which takes {needed / 1e9:.3g} GB of memory to read, more than the limit of {limit:g} GB; "
            f"if you trust it, set {VARIABLE} (in GB) higher"
        )
