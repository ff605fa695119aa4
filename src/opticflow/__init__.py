"""Dense optical flow: FlowNet, FlowNet 2.0, RAFT and the classical methods, for images and video."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opticflow import data as data
    from opticflow import errors as errors
    from opticflow import estimator as estimator
    from opticflow import evaluate as evaluate
    from opticflow import extract as extract
    from opticflow import io as io
    from opticflow import losses as losses
    from opticflow import metrics as metrics
    from opticflow import models as models
    from opticflow import ops as ops
    from opticflow import scenes as scenes
    from opticflow import settings as settings
    from opticflow import shapes as shapes
    from opticflow import store as store
    from opticflow import train as train
    from opticflow import visualize as visualize
    from opticflow import weights as weights
    from opticflow.data import FlowDataset, open_dataset
    from opticflow.errors import (
        DatasetError,
        FormatError,
        InputError,
        OpticflowError,
        TrainingError,
        VideoError,
        WeightsError,
    )
    from opticflow.estimator import Estimator, PairFlow, estimate, load
    from opticflow.extract import FlowClip
    from opticflow.io import read_flow, read_flow_with_mask, read_image, write_flow, write_image
    from opticflow.io.video import read_video
    from opticflow.ops.arrays import occlusion, warp
    from opticflow.settings import Settings
    from opticflow.shapes import Sample
    from opticflow.store import FlowStacks, FlowStore, open_store
    from opticflow.visualize import flow_to_image
    from opticflow.weights import list_models

__version__ = "0.1.0"

_PLACES = {
    "DatasetError": "errors",
    "Estimator": "estimator",
    "FlowDataset": "data",
    "FlowClip": "extract",
    "FlowStacks": "store",
    "FlowStore": "store",
    "FormatError": "errors",
    "InputError": "errors",
    "OpticflowError": "errors",
    "PairFlow": "estimator",
    "Sample": "shapes",
    "Settings": "settings",
    "TrainingError": "errors",
    "VideoError": "errors",
    "WeightsError": "errors",
    "estimate": "estimator",
    "flow_to_image": "visualize",
    "list_models": "weights",
    "load": "estimator",
    "occlusion": "ops.arrays",
    "open_dataset": "data",
    "open_store": "store",
    "read_flow": "io",
    "read_flow_with_mask": "io",
    "read_image": "io",
    "read_video": "io.video",
    "warp": "ops.arrays",
    "write_flow": "io",
    "write_image": "io",
}
"""The public names, and the modules that they come from."""
__all__ = [  # pyright: ignore[reportUnsupportedDunderAll]
    "DatasetError",
    "Estimator",
    "FlowClip",
    "FlowDataset",
    "FlowStacks",
    "FlowStore",
    "FormatError",
    "InputError",
    "OpticflowError",
    "PairFlow",
    "Sample",
    "Settings",
    "TrainingError",
    "VideoError",
    "WeightsError",
    "estimate",
    "flow_to_image",
    "list_models",
    "load",
    "occlusion",
    "open_dataset",
    "open_store",
    "read_flow",
    "read_flow_with_mask",
    "read_image",
    "read_video",
    "warp",
    "write_flow",
    "write_image",
]

_MODULES = (
    "data",
    "estimator",
    "errors",
    "evaluate",
    "extract",
    "io",
    "losses",
    "metrics",
    "models",
    "ops",
    "scenes",
    "settings",
    "shapes",
    "store",
    "train",
    "visualize",
    "weights",
)


def __getattr__(name: str):
    # Imported at first use, so that `opticflow --help` does not wait for PyTorch.
    if name in _MODULES:
        return import_module(f"opticflow.{name}")
    if name not in _PLACES:
        raise AttributeError(f"module 'opticflow' has no attribute {name!r}")
    value = getattr(import_module(f"opticflow.{_PLACES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES, "__version__"])
