"""The operations that a network's time goes to, as shares of it.

python benchmarks/operations.py RAFT-small FlowNet2 [--size 1024x448] [--rounds 3] [--most 12]

By PyTorch's profiler, each operation without those that it calls. Compiled loops of ours stand under the name of the
function that PyTorch's autograd knows them by, or in the rest.
"""

import argparse
import json
import time

import torch

from opticflow.estimator.speed import load_or_build
from opticflow.models import FlowNetwork
from opticflow.runtime.malloc import keep_freed_memory
from opticflow.settings import Settings


def shares(network: FlowNetwork, height: int, width: int, rounds: int) -> tuple[float, dict[str, float]]:
    """Seconds for a pair, and the share of each operation, the largest first."""
    frames = torch.rand(2, 1, 3, height, width, generator=torch.Generator().manual_seed(0)).unbind()
    with torch.inference_mode():
        network(*frames)
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            begun = time.perf_counter()
            for _ in range(rounds):
                network(*frames)
            seconds = time.perf_counter() - begun
    own = {event.key: event.self_cpu_time_total / 1e6 / seconds for event in profile.key_averages()}
    known = sum(own.values())
    ranked = sorted(own.items(), key=lambda item: -item[1])
    return seconds / rounds, dict([*ranked, ("the rest", max(0.0, 1 - known))])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--size", default="1024x448")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--most", type=int, default=12, help="operations that are printed")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    keep_freed_memory()
    width, height = (int(side) for side in options.size.split("x"))
    for model in options.models:
        seconds, found = shares(
            load_or_build(model, Settings(device="cpu"), bare=True)[0].network, height, width, options.rounds
        )
        if options.json:
            print(json.dumps({"model": model, "size": options.size, "seconds": round(seconds, 4), "shares": found}))
            continue
        print(f"{model}, {options.size}: {1e3 * seconds:.0f} ms a pair")
        for name, share in list(found.items())[: options.most]:
            print(f"  {name:<40}{100 * share:5.1f} %")


if __name__ == "__main__":
    main()
