"""The exceptions of opticflow. Each message says what was found, what was expected and what to do.

OpticflowError
├── InputError      a frame, an option or a name that cannot be used
├── FormatError     a flow or picture file that is not what it claims to be, or cannot be written
├── VideoError      a clip or a folder of frames that cannot be read or written
├── WeightsError    a checkpoint that does not fit, cannot be trusted or cannot be fetched
├── DatasetError    a data set that is not where or what it should be
└── TrainingError   a training run that cannot go on
"""

import difflib
from collections.abc import Iterable


class OpticflowError(Exception):
    """Base class of all errors that opticflow raises on purpose."""


class InputError(OpticflowError):
    """A frame, an option or a name is not usable."""


class FormatError(OpticflowError):
    """A flow or picture file is not valid, or cannot be written."""


class VideoError(OpticflowError):
    """A clip or a folder of frames cannot be read or written."""


class WeightsError(OpticflowError):
    """A checkpoint does not fit, is not trustworthy, or cannot be downloaded."""


class DatasetError(OpticflowError):
    """A data set is missing, incomplete or not valid."""


class TrainingError(OpticflowError):
    """A training run cannot continue."""


def did_you_mean(name: str, known: Iterable[str], *, cutoff: float = 0.5) -> str:
    """Return the end of a message about an unknown name: up to three similar names, or all known ones.

    Args:
        name: the unknown name.
        known: the known names, in the order in which they are listed.
        cutoff: least similarity, from 0 to 1 (`difflib.get_close_matches`).
    """
    known = list(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=cutoff)
    return f"did you mean {', '.join(near)}?" if near else f"known are {', '.join(known)}"
