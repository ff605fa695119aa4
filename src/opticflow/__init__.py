"""Dense optical flow: FlowNet, FlowNet 2.0, RAFT and the classical methods, for images and video."""

from importlib import import_module
from typing import TYPE_CHECKING

from opticflow.errors import OpticflowError

if TYPE_CHECKING:
    from opticflow.estimator import Estimator, estimate, load
    from opticflow.io import read_flow, write_flow
    from opticflow.video import read_video
    from opticflow.visualize import flow_to_image

__version__ = "0.1.0"

__all__ = [
    "Estimator",
    "OpticflowError",
    "estimate",
    "flow_to_image",
    "load",
    "read_flow",
    "read_video",
    "write_flow",
]

_ROOMS = {
    "Estimator": "estimator",
    "estimate": "estimator",
    "flow_to_image": "visualize",
    "load": "estimator",
    "read_flow": "io",
    "read_video": "video",
    "write_flow": "io",
}


def __getattr__(name: str):
    # Imported at first use, so that `opticflow --help` does not wait for PyTorch.
    if name not in _ROOMS:
        raise AttributeError(f"module 'opticflow' has no attribute {name!r}")
    value = getattr(import_module(f"opticflow.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
