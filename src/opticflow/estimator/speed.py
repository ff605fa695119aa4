"""Measure the speed and the memory of a model, each measurement in a new process."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from opticflow import weights
from opticflow.errors import InputError, OpticflowError, WeightsError
from opticflow.estimator.estimator import Estimator
from opticflow.estimator.loading import resolve
from opticflow.estimator.memory import LIBRARIES, bytes_per_pixel
from opticflow.kernels.dispatch import reference_kernels
from opticflow.models import MODELS, FlowNetwork, LearnedNetwork, build
from opticflow.runtime.malloc import keep_freed_memory
from opticflow.settings import Settings


@dataclass(frozen=True)
class Speed:
    """The speed of one model at one size. Times are the minimum over several rounds."""

    model: str
    width: int
    height: int
    precision: str
    """The precision used, with `auto` resolved."""
    device: str
    threads: int
    iterations: int | None
    uses: tuple[str, ...]
    """What is done around the network: coarse to fine and refinement, or nothing."""
    max_memory: str | int | None
    tiles: int
    """Number of tiles; 1 if the frame is estimated whole."""
    trained: bool
    """Whether the network has trained weights; with random ones, RAFT's lookups read other positions."""
    milliseconds: float
    """Milliseconds for one pair, from frames to flow."""
    frames_per_second: float
    memory: int
    """Peak memory in bytes: of the process, or of the tensors on a GPU."""
    plain_milliseconds: float | None
    """The same for the plain form in fp32, measured alternately with the fast form; None if it was not asked for, does
    not fit into memory, or does not exist (classical methods)."""
    plain_memory: int | None
    ratio: float | None
    """Speed relative to the plain form."""


def measure_speed(
    model: str,
    width: int,
    height: int,
    *,
    settings: Settings = Settings(),
    bare: bool = False,
    rounds: int = 3,
    compare: bool = True,
) -> Speed:
    """Measure a model in a new process.

    Args:
        model: a name, or a checkpoint file.
        width: width of the frames.
        height: height of the frames.
        settings: the settings; None in a field means the value that `opticflow estimate` uses.
        bare: whether None means the network alone, with its own iterations, instead.
        rounds: number of timed pairs, of which the fastest counts. A first pair is the warm-up; with 0 it counts.
        compare: whether the plain form is timed as well.

    Raises:
        InputError: what the Estimator refuses.
        OpticflowError: the process died, as it does when memory runs out.
    """
    request = [model, width, height, settings.record(), bare, rounds, compare]
    command = [sys.executable, "-m", "opticflow.estimator.speed", json.dumps(request)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 2:
        raise InputError(done.stderr.strip())
    if done.returncode:
        cause = (done.stderr.strip().splitlines() or ["killed, probably for want of memory"])[-1]
        raise OpticflowError(f"{model} at {width}x{height} did not finish: {cause}")
    found = json.loads(done.stdout.splitlines()[-1])
    return Speed(**{**found, "uses": tuple(found["uses"])})


def load_or_build(model: str, settings: Settings = Settings(), *, bare: bool = False) -> tuple[Estimator, bool]:
    """Return the Estimator to measure, and whether it has trained weights; without them it takes nearly the same time.

    Args:
        model: a name, or a checkpoint file.
        settings: see `measure_speed`.
        bare: see `measure_speed`.

    Raises:
        See `load`. A network whose weights are not on this machine gets random ones instead.
    """
    trained = True
    try:
        network = weights.load_network(model)
    except WeightsError:
        if model not in MODELS:
            raise
        network, trained = build(model), False
    estimator = Estimator(network, **vars(settings if bare else resolve(model, settings)))
    estimator.name = weights.full_name(model)
    return estimator, trained


def _measure(
    model: str, width: int, height: int, record: dict[str, Any], bare: bool, rounds: int, compare: bool
) -> Speed:
    estimator, trained = load_or_build(model, Settings(**record), bare=bare)
    frames = _frames(height, width)
    fast = _timer(estimator, frames)
    first = fast()
    memory = peak_memory(estimator.device)
    plain, plain_memory = None, None
    times: list[float] = []
    plain_times: list[float] = []
    network = estimator.network.innermost
    if compare and _reference_fits(network, height, width, estimator.device):
        settings = replace(estimator.settings, precision="fp32", max_memory=None, coarse_start=False, refine=False)
        plain = _timer(Estimator(estimator.network, **vars(settings)), frames, reference=True)
        plain()
        plain_memory = peak_memory(estimator.device)
    for _ in range(rounds):
        times.append(fast())
        if plain:
            plain_times.append(plain())
    best, plain_best = min(times, default=first), min(plain_times, default=None)
    return Speed(
        model=estimator.name,
        width=width,
        height=height,
        precision=estimator.precision,
        device=str(estimator.device),
        threads=torch.get_num_threads(),
        iterations=estimator.settings.iterations,
        uses=estimator.network.uses,
        max_memory=estimator.settings.max_memory,
        tiles=len(estimator.tiles(height, width)),
        trained=trained,
        milliseconds=round(1e3 * best, 2),
        frames_per_second=round(1 / best, 3),
        memory=memory,
        plain_milliseconds=None if plain_best is None else round(1e3 * plain_best, 2),
        plain_memory=plain_memory,
        ratio=None if plain_best is None else float(f"{plain_best / best:.3g}"),
    )


def _frames(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return two frames of clouds that move by a few pixels."""
    generator = torch.Generator().manual_seed(0)
    clouds = torch.rand(1, 3, height // 16 + 2, width // 16 + 2, generator=generator)
    picture = torch.nn.functional.interpolate(clouds, size=(height + 4, width + 6), mode="bicubic").clamp(0, 1)
    frame = (255 * picture[0]).byte().permute(1, 2, 0).numpy()
    return np.ascontiguousarray(frame[4:, 6:]), np.ascontiguousarray(frame[:-4, :-6])


def _timer(
    estimator: Estimator, frames: tuple[np.ndarray, np.ndarray], *, reference: bool = False
) -> Callable[[], float]:
    def run() -> float:
        with reference_kernels() if reference else contextlib.nullcontext():
            begun = time.perf_counter()
            estimator(*frames)  # its answer lies in main memory, so that a GPU has finished
            return time.perf_counter() - begun

    return run


def peak_memory(device: torch.device) -> int:
    """Return the peak memory in bytes: of the tensors on a GPU since the last call, otherwise of this process since its
    start."""
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        return peak
    status = Path("/proc/self/status")
    if status.exists():  # on Linux the peak of getrusage includes the process that started this one
        kilobytes = next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return 1024 * int(kilobytes)
    process = psutil.Process().memory_info()
    return getattr(process, "peak_wset", process.rss)  # the peak on Windows; elsewhere the present memory


def _reference_fits(network: FlowNetwork, height: int, width: int, device: torch.device) -> bool:
    """Return whether there is a plain form and its tensors fit into memory; classical methods have none."""
    if not isinstance(network, LearnedNetwork):
        return False
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
    else:
        free = psutil.virtual_memory().available
    with reference_kernels():
        return LIBRARIES * bytes_per_pixel(network, height, width) * height * width < free


if __name__ == "__main__":
    keep_freed_memory()  # as the command does, for both forms
    try:
        sys.stdout.write(json.dumps(asdict(_measure(*json.loads(sys.argv[1])))) + "\n")
    except OpticflowError as error:
        sys.stderr.write(str(error))
        sys.exit(2)
