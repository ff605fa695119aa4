"""Drawings of flow: NumPy arrays in, uint8 RGB out."""

from opticflow.visualize.colors import color_wheel, flow_to_image, magnitude_to_image
from opticflow.visualize.overlays import arrows, overlay
from opticflow.visualize.scale import MagnitudeHistogram, robust_max_flow
from opticflow.visualize.styles import STYLES, draw_flow

__all__ = [
    "STYLES",
    "MagnitudeHistogram",
    "arrows",
    "color_wheel",
    "draw_flow",
    "flow_to_image",
    "magnitude_to_image",
    "overlay",
    "robust_max_flow",
]
