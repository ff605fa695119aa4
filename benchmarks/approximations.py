"""How far the flow of tiles, or of bf16, is from that of whole frames in fp32, on pairs that a world renders.

python benchmarks/approximations.py tiles RAFT RAFT-small
python benchmarks/approximations.py precision RAFT RAFT-small --formats bf16
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from opticflow.errors import OpticflowError
from opticflow.estimator import Estimator
from opticflow.estimator.memory import memory_needed
from opticflow.estimator.speed import load_or_build
from opticflow.estimator.tiles import seams
from opticflow.evaluate.closeness import measure_closeness
from opticflow.evaluate.environment import environment
from opticflow.models import FlowNetwork
from opticflow.scenes.worlds import make_world
from opticflow.shapes import Sample

Row = dict[str, object]
SIZES = {"tiles": "1920x1080", "precision": "1024x436"}


def where(options: argparse.Namespace) -> dict:
    return {"iterations": options.iterations, "device": options.device}


def tiles(network: FlowNetwork, samples: list[Sample], options: argparse.Namespace) -> Iterator[Row]:
    """One estimate with the memory asked for; without, with that of a quarter of a frame."""
    height, width = samples[0].first.shape[:2]
    memory = options.max_memory or memory_needed(network, height * width // 4, height=height, width=width)
    tiled = Estimator(network, **where(options), precision="fp32", max_memory=memory)
    whole = Estimator(network, **where(options), precision="fp32")
    parts = tiled.tiles(height, width)
    region = seams(parts, height, width)
    sizes = {f"{columns.stop - columns.start}x{rows.stop - rows.start}" for rows, columns in parts}
    found = measure_closeness(tiled, whole, samples, region=region)
    yield {
        "tiles": len(parts),
        "of": sorted(sizes),
        "max_memory": memory,
        "overlapping": round(region.mean(), 3),
        **asdict(found),
    }


def precision(network: FlowNetwork, samples: list[Sample], options: argparse.Namespace) -> Iterator[Row]:
    """One estimate for each number format."""
    auto = Estimator(network, **where(options)).precision
    reference = Estimator(network, **where(options), precision="fp32")
    for form in options.formats:
        estimate = Estimator(network, **where(options), precision=form)
        found = measure_closeness(estimate, reference, samples)
        yield {"precision": estimate.precision, "auto_here": auto, **asdict(found)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=SIZES)
    parser.add_argument("models", nargs="*", default=["RAFT-small"], help="names, checkpoint files or runs' folders")
    parser.add_argument("--size", help="of the frames; 1920x1080 for tiles, 1024x436 for precision")
    parser.add_argument("--world", default="mixed")
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1_000_004, help="of the world; no training sees it")
    parser.add_argument("--iterations", type=int)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--max-memory", help="of the tiled estimate, as 1500MB")
    parser.add_argument("--formats", nargs="+", default=["bf16"])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    width, height = map(int, (options.size or SIZES[options.what]).split("x"))
    world = make_world(options.world, options.seed, (height, width))
    samples = [world[index].sample() for index in range(options.pairs)]
    rows = []
    for model in options.models:
        estimator, trained = load_or_build(model, bare=True)
        for found in {"tiles": tiles, "precision": precision}[options.what](estimator.network, samples, options):
            rows.append({"model": model, "trained": trained, "size": [width, height], "world": world.kind, **found})
            print(json.dumps(rows[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps({"machine": environment(), "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    try:
        main()
    except OpticflowError as error:
        raise SystemExit(str(error)) from None
