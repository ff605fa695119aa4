"""Data augmentation for training; the flow of an augmented sample stays exact."""

from opticflow.data.augmentation.affine import transform
from opticflow.data.augmentation.colour import ColourJitter, Eraser, Noise, Tone, Toning
from opticflow.data.augmentation.exposure import MotionBlur
from opticflow.data.augmentation.geometry import Crop, Placement, RelativeAffine, ScaleAndCrop
from opticflow.data.augmentation.presets import PRESETS, SENSOR_NOISE, Augmentation, Variation
from opticflow.data.augmentation.spread import Spread

__all__ = [
    "PRESETS",
    "SENSOR_NOISE",
    "Augmentation",
    "ColourJitter",
    "Crop",
    "Eraser",
    "MotionBlur",
    "Noise",
    "Placement",
    "RelativeAffine",
    "ScaleAndCrop",
    "Spread",
    "Tone",
    "Toning",
    "Variation",
    "transform",
]
