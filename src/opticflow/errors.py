"""The errors that opticflow raises on purpose. Each message says what was found, what was wanted and what to do.

OpticflowError
├── InputError      a frame, an option or a name that cannot be used
├── FormatError     a flow or picture file that is not what it claims to be, or cannot be written
├── VideoError      a clip or a folder of frames that cannot be read or written
├── WeightsError    a checkpoint that does not fit, cannot be trusted or cannot be fetched
├── DatasetError    a data set that is not where or what it should be
└── TrainingError   a training run that cannot go on
"""


class OpticflowError(Exception):
    """Every error that opticflow raises on purpose."""


class InputError(OpticflowError):
    """A frame, an option or a name that cannot be used."""


class FormatError(OpticflowError):
    """A flow or picture file that is not what it claims to be, or that cannot be written."""


class VideoError(OpticflowError):
    """A clip or a folder of frames that cannot be read or written."""


class WeightsError(OpticflowError):
    """A checkpoint that does not fit, cannot be trusted or cannot be fetched."""


class DatasetError(OpticflowError):
    """A data set that is not where or what it should be."""


class TrainingError(OpticflowError):
    """A training run that cannot go on."""
