"""Time and memory of the forms of FlowNetC's correlation and of RAFT's lookups, as ratios to the plain form of each.

python benchmarks/correlation_forms.py [FlowNetC] [RAFT] [RAFT-small] [--size 1024x448] [--threads 1] [--device cpu]

Rounds alternate between the forms and the least time of each counts. Memory is what the peak of a process that runs one
form once rises by, or the peak of the tensors on a GPU.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from opticflow.ops.correlation import correlation, correlation_of_rows
from opticflow.ops.grid import pixel_grid
from opticflow.ops.lookup import Form, correlation_lookup

STRIDE = 8
ITERATIONS = 12


def lookups(first: Tensor, second: Tensor, *, form: Form, radius: int) -> Tensor:
    """As of RAFT, whose places move less and less from one iteration to the next."""
    volume = correlation_lookup(first, second, radius=radius, form=form)
    random = torch.Generator().manual_seed(1)
    places = pixel_grid(*first.shape[-2:], like=first.detach()).expand(len(first), -1, -1, -1)
    total = first.new_zeros(())
    for i in range(ITERATIONS):
        places = places + 4 * 0.5**i * torch.randn(places.shape, generator=random).to(places)
        total = total + volume.lookup(places).square().sum()
    return total


def correlations(first: Tensor, second: Tensor, *, by: Callable[..., Tensor]) -> Tensor:
    return by(first, second, reach=20, step=2).square().sum()


FORMS: tuple[Form, ...] = ("plain", "gather", "on-demand")
OPERATIONS: dict[str, tuple[int, dict[str, Callable[[Tensor, Tensor], Tensor]]]] = {
    "FlowNetC": (
        256,
        {"plain": partial(correlations, by=correlation_of_rows), "compiled": partial(correlations, by=correlation)},
    ),
    "RAFT": (256, {form: partial(lookups, form=form, radius=4) for form in FORMS}),
    "RAFT-small": (128, {form: partial(lookups, form=form, radius=3) for form in FORMS}),
}
"""Channels of the features, and the forms, the plain one first."""


def workload(options: argparse.Namespace, operation: str, form: str, training: bool) -> Callable[[], None]:
    """Runs a form once: with gradients if it is for training."""
    channels, forms = OPERATIONS[operation]
    width, height = (int(side) // STRIDE for side in options.size.split("x"))
    random = torch.Generator().manual_seed(0)
    shape = options.batch, channels, height, width
    pair = [torch.randn(shape, generator=random).to(options.device).requires_grad_(training) for _ in range(2)]

    def run() -> None:
        with torch.set_grad_enabled(training):
            total = forms[form](*pair)
        if training:
            torch.autograd.grad(total, pair)
        total.item()  # so that a GPU has finished

    return run


def best_times(runs: Sequence[Callable[[], None]], rounds: int) -> list[float]:
    """Seconds; the first round, which warms up, does not count."""
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(rounds + 1):
        for run, taken in zip(runs, times, strict=True):
            begun = time.perf_counter()
            run()
            taken.append(time.perf_counter() - begun)
    return [min(taken[1:]) for taken in times]


def rise(run: Callable[[], None], device: str) -> int:
    """Bytes by which a run raises the peak."""
    run()  # compiles
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        return torch.cuda.max_memory_allocated() - before
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    before = _kilobytes("VmRSS")
    run()
    return 1024 * (_kilobytes("VmHWM") - before)


def _kilobytes(key: str) -> int:
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith(key))


def rise_in_a_process(*request: str) -> int:
    done = subprocess.run([sys.executable, __file__, *sys.argv[1:], "--rise", *request], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(request)} did not finish: {done.stderr}")
    return int(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("operations", nargs="*", default=list(OPERATIONS), help=", ".join(OPERATIONS))
    parser.add_argument("--size", default="1024x448", help="of the frames, whose features are an eighth of that")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rise", nargs=3, metavar=("OPERATION", "FORM", "PASS"), help="print only this one's memory")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.rise:
        operation, form, kind = options.rise
        print(rise(workload(options, operation, form, kind == "training"), options.device))
        return
    rows = []
    for operation in options.operations:
        forms = OPERATIONS[operation][1]
        for kind in ("inference", "training"):
            seconds = best_times(
                [workload(options, operation, form, kind == "training") for form in forms], options.rounds
            )
            memory = [rise_in_a_process(operation, form, kind) for form in forms]
            for form, taken, peak in zip(forms, seconds, memory, strict=True):
                rows.append(
                    {
                        "operation": operation,
                        "pass": kind,
                        "form": form,
                        "milliseconds": round(1e3 * taken, 2),
                        "times_as_fast": round(seconds[0] / taken, 2),
                        "megabytes": round(peak / 1e6, 1),
                        "share_of_memory": round(peak / memory[0], 3) if memory[0] else None,
                    }
                )
                print(json.dumps(rows[-1]), flush=True)
    print(json.dumps({**vars(options), "torch": torch.__version__, "runs": rows}))


if __name__ == "__main__":
    main()
