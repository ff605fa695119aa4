"""The photometric proof of every world on many random samples, as a table.

python benchmarks/photometric_proof.py --pairs 1000 chairs chairs-sdhom mixed
"""

import argparse
import json
from dataclasses import asdict

import cv2
import torch

from opticflow.scenes.proof import prove
from opticflow.scenes.statistics import measure_set
from opticflow.scenes.worlds import WORLDS, make_world


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", default=list(WORLDS))
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    for kind in options.kinds:
        world = make_world(kind, options.seed)
        proof = prove(world.clean(index) for index in range(options.pairs))
        report = measure_set(kind, (world[index] for index in range(options.pairs)))
        print(kind, json.dumps(asdict(proof)))
        print(kind, json.dumps({"displacement": report.displacement, "occluded": report.occluded}), flush=True)


if __name__ == "__main__":
    main()
