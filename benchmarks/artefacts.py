"""What a network's flow shows that no scene does: patches of eight pixels, and motion where nothing moves.

python benchmarks/artefacts.py CLIP MODEL [MODEL...] [--still X,Y,WIDTH,HEIGHT]

`patches`: the mean difference of the flow of neighbouring pixels across the borders of cells of 8 x 8 pixels, over the
one within cells; 1 where the cells do not show. Pixels whose difference is above 0.5 px, motion boundaries, are left
out. `still`: the mean length of the flow, in pixels, in a rectangle of the clip that does not move.
"""

import argparse
from itertools import islice

import numpy as np

import opticflow

CELL = 8
BOUNDARY = 0.5
"""Pixels; larger steps are motion boundaries, which stand where the scene has them."""


def across_and_within(flow: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Differences of neighbours along an axis: across the borders of cells, and within them."""
    step = np.abs(np.diff(flow, axis=axis)).max(-1)
    border = np.arange(step.shape[axis]) % CELL == CELL - 1
    found = (step.compress(chosen, axis) for chosen in (border, ~border))
    across, within = (part[part < BOUNDARY] for part in found)
    return across, within


def patches(flows: list[np.ndarray]) -> float:
    """See above."""
    parts = [across_and_within(flow, axis) for flow in flows for axis in (0, 1)]
    across, within = (np.concatenate([part[which] for part in parts]).mean() for which in (0, 1))
    return float(across / within)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--still", help="a rectangle of the background: x,y,width,height")
    parser.add_argument("--frames", type=int, default=20)
    options = parser.parse_args()
    frames = list(islice(opticflow.read_video(options.clip), options.frames + 1))
    for model in options.models:
        estimator = opticflow.load(model, device="cpu")
        flows = list(estimator.stream(frames))
        line = f"{model}: patches {patches(flows):.2f}"
        if options.still:
            x, y, width, height = (int(number) for number in options.still.split(","))
            lengths = [np.hypot(*np.moveaxis(flow[y : y + height, x : x + width], -1, 0)).mean() for flow in flows]
            line += f", still {np.mean(lengths):.4f} px"
        print(line, flush=True)


if __name__ == "__main__":
    main()
