"""What a result depends on besides the data: the weights, the machine and the versions."""

import hashlib
import os
import platform
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn


def weights_hash(network: nn.Module) -> str | None:
    """The SHA-256 of a network's parameters and buffers: names, types, shapes and values; none without any.

    It does not depend on the file they came from, so that two layouts of the same weights have the same hash.
    """
    state = network.state_dict()
    if not state:
        return None
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def environment() -> dict[str, str]:
    """Versions and hardware, in words."""
    found = {
        "opticflow": version("opticflow"),
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
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
