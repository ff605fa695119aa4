"""What a training step takes: forward, backward and the update, on random samples that lie on the device.

python benchmarks/training_step.py [--model RAFT-small] [--crop 496x368] [--batch 32] [--iterations 12] [--form gather]
    [--precision bf16] [--device auto] [--steps 20] [--warm-up 5] [--no-tuned] [--profile FILE] [--json]

The step is that of `opticflow train`, without its data: format, channels-last, clipping, fused AdamW. On a GPU it is
timed by events of the device and `host` is what queueing a step takes: that of a single sample at the smallest crop,
which the device finishes in hardly any time. On a CPU it is timed by the clock.
"""

import argparse
import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from opticflow.data.batches import Batch
from opticflow.estimator.speed import peak_memory
from opticflow.losses import LOSS_INPUTS, LOSSES
from opticflow.models import LearnedNetwork, accelerate, build
from opticflow.models.raft import RAFT
from opticflow.runtime.malloc import keep_freed_memory
from opticflow.train.devices import launch, tuned_convolutions
from opticflow.train.gradients import update
from opticflow.train.recipe import Part, Stage
from opticflow.train.schedules import make_optimiser

PARTS = ("forward", "backward", "update")
PROFILED = 3
"""Steps."""


class Step:
    """A network, a batch, and what training does with them."""

    def __init__(self, network: LearnedNetwork, fabric: Any, crop: tuple[int, int], batch: int) -> None:
        self.fabric, self.device = fabric, fabric.device
        self.loss = next(name for name, wanted in LOSS_INPUTS.items() if wanted == network.estimates)
        bare = network.to(self.device).to(memory_format=torch.channels_last).train()  # pyright: ignore
        stage = Stage("only", "", (Part("random"),), 1, batch, crop, 1e-4, self.loss, source="", weight_decay=1e-5)
        self.network, self.optimiser = fabric.setup(bare, make_optimiser(stage, bare), move_to_device=False)
        self.network.mark_forward_method("predictions")
        self.batch = self._random(batch, *crop)

    def _random(self, batch: int, height: int, width: int) -> Batch:
        torch.manual_seed(0)
        frames = torch.rand(2, batch, height, width, 3, device=self.device).permute(0, 1, 4, 2, 3)
        flow = 10 * torch.randn(batch, 2, height, width, device=self.device)
        valid = torch.ones(batch, height, width, dtype=torch.bool, device=self.device)
        return Batch(frames[0], frames[1], flow, valid, ["random"] * batch)

    def __call__(self, mark: Callable[[], None] = lambda: None) -> None:
        """Make one, and mark the time before, between and after its parts."""
        mark()
        with self.fabric.autocast():
            predictions = self.network.predictions(self.batch.first, self.batch.second)
        options = {"weights": [1.0] * len(predictions)} if self.loss == "multiscale" else {}
        loss = LOSSES[self.loss](predictions, self.batch.flow, self.batch.valid, **options)
        mark()
        self.fabric.backward(loss)
        mark()
        update(self.fabric, self.network, self.optimiser, clip=1.0)
        self.optimiser.zero_grad(set_to_none=True)
        mark()


def milliseconds(step: Step, steps: int, warm_up: int) -> dict[str, float]:
    """Of a step and its parts, the mean of several steps."""
    on_gpu = step.device.type == "cuda"
    marks: list[Any] = []

    def mark() -> None:
        marks.append(torch.cuda.Event(enable_timing=True) if on_gpu else time.perf_counter())
        if on_gpu:
            marks[-1].record()

    def between(i: int, j: int) -> float:
        return marks[i].elapsed_time(marks[j]) if on_gpu else 1e3 * (marks[j] - marks[i])

    for _ in range(warm_up):
        step()
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(step.device)  # trying algorithms takes more than they do
    for _ in range(steps):
        step(mark)
    if on_gpu:
        torch.cuda.synchronize(step.device)
    each = len(PARTS) + 1
    found = {"step": between(0, -1) / steps}
    for i, part in enumerate(PARTS):
        found[part] = sum(between(each * n + i, each * n + i + 1) for n in range(steps)) / steps
    return found


def profile(step: Step, file: Path) -> None:
    """Write where the time of some steps goes, the largest first."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    if step.device.type == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as found:
        for _ in range(PROFILED):
            step()
        if step.device.type == "cuda":
            torch.cuda.synchronize(step.device)
    key = "self_cpu_time_total" if step.device.type == "cpu" else "self_device_time_total"
    file.write_text(found.key_averages().table(sort_by=key, row_limit=60, max_name_column_width=80) + "\n")


def make(options: argparse.Namespace, crop: tuple[int, int] | None, batch: int, fabric: Any) -> Step:
    """A step, at the smallest crop if none is given."""
    network = build(options.model, **({"iterations": options.iterations} if options.iterations else {}))
    if not isinstance(network, LearnedNetwork):
        raise SystemExit(f"{options.model} has no weights to train")
    if isinstance(network, RAFT):
        network.correlation.form = options.form  # pyright: ignore[reportAttributeAccessIssue]
    side = -(-network.min_size // network.stride) * network.stride
    accelerate(network)
    return Step(network, fabric, crop or (side, side), batch)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """What was asked for, and what it takes."""
    width, height = (int(side) for side in options.crop.split("x"))
    fabric, precision = launch(options.device, options.precision)
    on_gpu = fabric.device.type == "cuda"
    with tuned_convolutions(fabric.device) if options.tuned else nullcontext():
        step = make(options, (height, width), options.batch, fabric)
        found = milliseconds(step, options.steps, options.warm_up)
        memory = peak_memory(fabric.device)
        if options.profile:
            profile(step, options.profile)
        if on_gpu:
            found["host"] = milliseconds(make(options, None, 1, fabric), options.steps, options.warm_up)["step"]
    asked = {name: getattr(options, name) for name in ("model", "crop", "batch", "iterations", "form", "tuned")}
    device = torch.cuda.get_device_name(fabric.device) if on_gpu else "cpu"
    return {
        **asked,
        "precision": precision,
        "device": device,
        "threads": torch.get_num_threads(),
        "milliseconds": {name: round(value, 3) for name, value in found.items()},
        "samples_per_second": round(1e3 * options.batch / found["step"], 2),
        "memory": memory,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="RAFT-small")
    parser.add_argument("--crop", default="496x368", help="width x height")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--iterations", type=int, help="of RAFT")
    parser.add_argument("--form", default="auto", help="of RAFT's lookup: auto, plain, gather or on-demand")
    parser.add_argument("--precision", default="auto", help="auto, fp32 or bf16")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--steps", type=int, default=20, help="that are timed")
    parser.add_argument("--warm-up", type=int, default=5, help="steps before")
    parser.add_argument("--tuned", action=argparse.BooleanOptionalAction, default=True, help="cuDNN's benchmark")
    parser.add_argument("--profile", type=Path, help=f"write a profile of {PROFILED} steps here")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    keep_freed_memory()
    row = measure(options)
    if options.json:
        print(json.dumps(row))
        return
    times = ", ".join(f"{name} {value:.1f} ms" for name, value in row["milliseconds"].items())
    print(
        f"{row['model']}, {row['batch']} x {row['crop']}, {row['precision']}, {row['device']}: {times}; "
        f"{row['samples_per_second']:.1f} samples/s, {row['memory'] / 1e9:.2f} GB"
    )


if __name__ == "__main__":
    main()
