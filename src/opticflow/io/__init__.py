"""Read and write flow files and picture files."""

from opticflow.io.atomic import atomic_path, make_folder
from opticflow.io.flow_files import FLOW_FORMATS, FLOW_SUFFIXES, FlowFormat, read_flow, read_flow_with_mask, write_flow
from opticflow.io.folders import list_flow_files, list_image_files, natural_key
from opticflow.io.image_files import IMAGE_SUFFIXES, VIDEO_SUFFIXES, ImageStack, read_image, write_image, write_mask

__all__ = [
    "FLOW_FORMATS",
    "FLOW_SUFFIXES",
    "IMAGE_SUFFIXES",
    "VIDEO_SUFFIXES",
    "FlowFormat",
    "ImageStack",
    "atomic_path",
    "list_flow_files",
    "list_image_files",
    "make_folder",
    "natural_key",
    "read_flow",
    "read_flow_with_mask",
    "read_image",
    "write_flow",
    "write_image",
    "write_mask",
]
