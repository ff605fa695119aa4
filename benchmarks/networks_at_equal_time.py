"""Train networks for the same processor time on the same data, and measure them on held-out scenes.

python benchmarks/networks_at_equal_time.py RAFT-small RAFT-pyramid --minutes 30 -o runs/networks

The budget is the processor time of one thread, so that it does not matter what else the machine does. Iterations in
training are chosen so that a step takes about the same time.
"""

import argparse
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

import opticflow
from opticflow.metrics import measure
from opticflow.models import MODELS
from opticflow.models.raft import ConvexUpsampler, ConvGRU, CorrelationBlock, MotionEncoder, UpdateBlock, head
from opticflow.models.raft_pyramid import PyramidEncoder, RAFTPyramid, StateUpsampler, first_flow
from opticflow.runtime.malloc import keep_freed_memory
from opticflow.scenes.worlds import CHAIRS_SIZE, make_world
from opticflow.train import Part, Recipe, Stage, train
from opticflow.train.sources import HELD_OUT, Locations, RecipeSources

PAIRS = 10
"""Held-out pairs of each world."""


def raft_pyramid_gru(*, iterations: int = 4) -> RAFTPyramid:
    """RAFT-pyramid with RAFT-small's update block in place of the chain of convolutions."""
    hidden, context, widths = 96, 64, (64, 64, 96)
    correlation = CorrelationBlock(levels=1, radius=4)
    return RAFTPyramid(
        feature_encoder=PyramidEncoder(inputs=3, widths=widths, outputs=96),
        context_encoder=PyramidEncoder(inputs=6, widths=widths, outputs=hidden + context),
        correlation=correlation,
        first_flow=first_flow(hidden, 128),
        update_block=UpdateBlock(
            motion_encoder=MotionEncoder(correlation=(correlation.outputs, 96), flow=(64, 32), outputs=82),
            gru=[ConvGRU(hidden, context + 82, (3, 3))],
            flow_head=head(hidden, 128, 2),
        ),
        state_upsampler=StateUpsampler(hidden),
        upsampler=ConvexUpsampler(hidden, 128),
        hidden=hidden,
        iterations=iterations,
    )


MODELS["RAFT-pyramid-GRU"] = raft_pyramid_gru


@dataclass(frozen=True)
class EvaluatedModel:
    """A network and how it is trained."""

    model: str
    iterations: int
    """In training."""
    loss: str = "sequence"
    loss_options: dict[str, Any] = field(default_factory=lambda: {"gamma": 0.8})
    options: dict[str, Any] = field(default_factory=dict)


CONTENDERS = {
    "RAFT-small": EvaluatedModel("RAFT-small", 6),
    "RAFT-pyramid": EvaluatedModel("RAFT-pyramid", 2),
    "RAFT-pyramid-GRU": EvaluatedModel("RAFT-pyramid-GRU", 2),
    "RAFT-pyramid-mixture": EvaluatedModel(
        "RAFT-pyramid", 2, "mixture-of-laplacians", {"gamma": 0.85, "reduction": "pixels"}, {"mixture": True}
    ),
}


def recipe(name: str, crop: tuple[int, int]) -> Recipe:
    contender = CONTENDERS[name]
    stage = Stage(
        name="equal",
        model=contender.model,
        data=(Part("chairs", "default-mix", 0.5), Part("mixed", "default-mix", 0.5)),
        steps=10**6,
        batch=4,
        crop=crop,
        learning_rate=4e-4,
        loss=contender.loss,
        source="a comparison of networks",
        loss_options=contender.loss_options,
        options=contender.options,
        weight_decay=1e-4,
        clip=1.0,
        iterations=contender.iterations,
    )
    return Recipe(name, "a network for a comparison", (stage,))


def errors(run: Path) -> dict[str, float]:
    """Mean end-point error in pixels on new pairs of each world, with the network's own number of iterations."""
    estimator = opticflow.load(run, precision="fp32", device="cpu")
    found = {}
    for kind in ("chairs", "mixed", "fast"):
        world = make_world(kind, HELD_OUT, CHAIRS_SIZE)
        samples = (world[index].sample() for index in range(PAIRS))
        values = [measure(estimator(sample.first, sample.second), sample).mean("EPE") for sample in samples]
        found[kind] = sum(values) / PAIRS
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="+", choices=CONTENDERS)
    parser.add_argument("--minutes", type=float, default=30, help="of processor time for each")
    parser.add_argument("--crop", type=int, nargs=2, default=(192, 256), help="height and width")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/networks"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    for name in options.networks:
        folder = options.output / name
        chosen = recipe(name, tuple(options.crop))
        sources = RecipeSources(chosen, Locations())
        run = train(
            chosen, folder, sources, minutes=options.minutes, precision="fp32", device="cpu", clock=time.process_time
        )
        state = run.place(chosen.stages[0]).state()
        row = {"network": name, "minutes": options.minutes, "samples": state.samples, "errors": errors(folder)}
        print(json.dumps(row), flush=True)
        with (options.output / "results.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
