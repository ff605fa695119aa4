"""The versions and the hardware that a result depends on."""

import os
import platform
from pathlib import Path

import cv2
import numpy as np
import torch

import opticflow
from opticflow.kernels.dispatch import has_triton


def environment() -> dict[str, str]:
    """Return versions and hardware as text."""
    found = {
        "opticflow": opticflow.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "system": platform.platform(),
        "processor": _processor(),
        "cores": f"{os.cpu_count()}, of which torch uses {torch.get_num_threads()}",
    }
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
        found["kernels"] = "by Triton" if has_triton() else "by PyTorch, as Triton does not work here"
    return found


def _processor() -> str:
    try:
        # only Linux has this file, and `platform.processor` is often empty there
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
