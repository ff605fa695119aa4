"""Dense optical flow: FlowNet, FlowNet 2.0, RAFT and the classical methods, for images and video."""

from importlib import import_module
from typing import TYPE_CHECKING

from opticflow.errors import OpticflowError

if TYPE_CHECKING:
    from opticflow import data as data
    from opticflow import estimator as estimator
    from opticflow import evaluate as evaluate
    from opticflow import io as io
    from opticflow import losses as losses
    from opticflow import metrics as metrics
    from opticflow import models as models
    from opticflow import ops as ops
    from opticflow import scenes as scenes
    from opticflow import shapes as shapes
    from opticflow import train as train
    from opticflow import video as video
    from opticflow import visualize as visualize
    from opticflow import weights as weights
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


_MODULES = (
    "data",
    "estimator",
    "evaluate",
    "io",
    "losses",
    "metrics",
    "models",
    "ops",
    "scenes",
    "shapes",
    "train",
    "video",
    "visualize",
    "weights",
)


def __getattr__(name: str):
    # Imported at first use, so that `opticflow --help` does not wait for PyTorch.
    if name in _MODULES:
        return import_module(f"opticflow.{name}")
    if name not in _ROOMS:
        raise AttributeError(f"module 'opticflow' has no attribute {name!r}")
    value = getattr(import_module(f"opticflow.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES, "__version__"])
