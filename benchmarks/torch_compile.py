"""What `torch.compile` makes of a network, beside the network as it is and in its plain form.

python benchmarks/torch_compile.py RAFT-small FlowNetS [--size 1024x448] [--rounds 3]

Rounds alternate and the least time of each counts; compiling, which happens at the first pair of a size, is reported by
itself. Under the compiler convolutions, norms and correlations have their plain forms, as compiled loops of ours cannot
be traced. On a CPU a C++ compiler is needed.
"""

import argparse
import json
import time
from collections.abc import Callable

import torch
from torch import Tensor

from opticflow.estimator.speed import load_or_build
from opticflow.kernels.dispatch import reference_kernels
from opticflow.runtime.malloc import keep_freed_memory
from opticflow.settings import Settings


def seconds(network: Callable[..., Tensor], frames: tuple[Tensor, Tensor]) -> float:
    """For one pair."""
    begun = time.perf_counter()
    with torch.inference_mode():
        network(*frames)[0, 0, 0, 0].item()  # so that a GPU has finished
    return time.perf_counter() - begun


def in_plain_form(network: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The network, as a reference implementation computes it."""

    def run(first: Tensor, second: Tensor) -> Tensor:
        with reference_kernels():
            return network(first, second)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--size", default="1024x448")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    keep_freed_memory()
    width, height = (int(side) for side in options.size.split("x"))
    noise = torch.rand(2, 1, 3, height, width, generator=torch.Generator().manual_seed(0))
    first, second = noise.to(options.device).unbind()
    for model in options.models:
        network = load_or_build(model, Settings(device=options.device), bare=True)[0].network
        forms = {"as it is": network, "plain": in_plain_form(network), "compiled": torch.compile(network)}
        begins = {name: seconds(form, (first, second)) for name, form in forms.items()}
        rounds = [{name: seconds(form, (first, second)) for name, form in forms.items()} for _ in range(options.rounds)]
        best = {name: round(1e3 * min(times[name] for times in rounds), 1) for name in forms}
        print(
            json.dumps({"model": model, "milliseconds": best, "compiling_s": round(begins["compiled"], 1)}), flush=True
        )


if __name__ == "__main__":
    main()
