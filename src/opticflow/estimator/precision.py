"""Choose the device and the precision of an estimate."""

import contextlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import torch

from opticflow.errors import InputError
from opticflow.settings import Precision

Format = Literal["fp32", "bf16", "fp16"]
_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(device: str | torch.device) -> torch.device:
    """Return the device with this name; `auto` is a GPU if there is one.

    Raises:
        InputError: no such device here.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen).cpu()
    except Exception as error:  # of any kind: each backend refuses in its own way
        reason = (str(error) or type(error).__name__).splitlines()[0].split(". ")[0]
        raise InputError(f"the device {device!r} cannot be used ({reason}); use cpu, or auto") from error
    return chosen


def choose_precision(precision: str, device: torch.device) -> Format:
    """Return the precision of the convolutions; `auto` is bf16 where the device is faster with it.

    Raises:
        InputError: no such precision.
    """
    if precision == "fp32" or precision == "bf16" or precision == "fp16":
        return precision
    if precision != "auto":
        raise InputError(f"there is no precision {precision!r}; known are {', '.join(get_args(Precision))}")
    if device.type == "cuda":
        return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp32"
    return "bf16" if device.type == "cpu" and cpu_is_faster_in_bf16() else "fp32"


@cache
def cpu_is_faster_in_bf16() -> bool:
    """Return whether this CPU multiplies bf16 so much faster that it outweighs what Winograd convolutions save in fp32.

    With matrix units (AMX) it does, and with AMD's AVX-512, whose instruction for bf16 does twice the work of fp32's in
    the same time (RAFT-small at 1024x436: 269 ms against 485). On other CPUs bf16 is slower than fp32, on most many
    times: Intel's AVX-512 has the instruction too, at a lower rate (41 GMAC/s against 70 in fp32).
    """
    path = Path("/proc/cpuinfo")
    found = path.read_text() if path.exists() else ""
    return "amx_bf16" in found or ("AuthenticAMD" in found and "avx512_bf16" in found)


@contextlib.contextmanager
def inference(precision: Format, device: torch.device) -> Iterator[None]:
    """Return the context in which a network runs."""
    if precision == "fp32":
        with torch.inference_mode():
            yield
    else:  # in inference mode autocast would convert the weights anew in each of RAFT's iterations
        with torch.no_grad(), torch.autocast(device.type, dtype=_TYPES[precision]):
            yield
