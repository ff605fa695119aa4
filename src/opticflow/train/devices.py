"""Devices, precision and processes, by Lightning Fabric."""

import contextlib
import logging
import os
from collections.abc import Iterator
from typing import Any

import torch

from opticflow.errors import InputError
from opticflow.estimator.precision import Format, choose_device, choose_precision

FORMATS = {"fp32": "32-true", "bf16": "bf16-mixed"}
"""Fabric's name of each precision. fp16 is left out: its range is so small that gradients would have to be scaled."""


def launch(device: str = "auto", precision: str = "auto") -> tuple[Any, Format]:
    """Return a launched Fabric and the chosen precision; each process that torchrun or `fabric run` started calls this.

    Raises:
        InputError: Lightning is not installed, or the device or precision cannot be used.
    """
    require()
    from lightning.fabric import Fabric

    chosen = choose_device(device)
    number_format = choose_precision(precision, chosen)
    if number_format not in FORMATS:
        raise InputError(f"training in {precision} is not offered; use fp32, or bf16")
    processes, nodes = _processes()
    accelerator = "cuda" if chosen.type == "cuda" else "cpu"
    devices: Any = processes
    if accelerator == "cuda" and processes == 1 and chosen.index is not None:
        devices = [chosen.index]
    with _quiet_lightning():
        fabric = Fabric(
            accelerator=accelerator,
            devices=devices,
            num_nodes=nodes,
            # DDP averages the gradients over the processes
            strategy="ddp" if processes * nodes > 1 else "auto",
            precision=FORMATS[number_format],  # type: ignore[arg-type]
        )
        fabric.launch()
    return fabric, number_format


@contextlib.contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Return a context in which Lightning does not repeat its settings on standard error."""
    # which of the two is used depends on what is imported
    loggers = [logging.getLogger(f"lightning.{part}") for part in ("fabric", "pytorch")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def tuned_convolutions(device: torch.device) -> Iterator[None]:
    """Return a context in which cuDNN times its convolution algorithms at the first use of each shape and keeps the
    fastest: shapes hardly change in training. Afterwards the setting is restored."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = before or device.type == "cuda"
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def require() -> None:
    """Raise an error if the packages for training are not installed.

    Raises:
        InputError: Lightning or TensorBoard is not installed.
    """
    try:
        import lightning.fabric  # noqa: F401
        import tensorboard  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"training needs {error.name}, which is not installed: pip install 'opticflow[train]'"
        ) from error


def _processes() -> tuple[int, int]:
    """Return the number of processes on this machine, and of machines, as torchrun set them."""
    here = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    return here, int(os.environ.get("WORLD_SIZE", here)) // here
