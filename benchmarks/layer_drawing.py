"""Drawing one layer by our kernel and by OpenCV: how exact, and how fast.

python benchmarks/layer_drawing.py
"""

import time

import cv2
import numpy as np

from opticflow.scenes.layers import Layer, bounds, render
from opticflow.scenes.motion import placement, similarity
from opticflow.scenes.raster import draw

HEIGHT, WIDTH, SIDE = 384, 512, 300


def best(function, rounds: int = 60) -> float:
    """Milliseconds of processor time."""
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        function()
        times.append(time.perf_counter() - begun)
    return 1000 * min(times)


def main() -> None:
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    texture = cv2.GaussianBlur(rng.integers(0, 256, (SIDE, SIDE, 4)).astype(np.uint8), (0, 0), 1.0)
    texture[..., :3] = texture[..., :3].astype(int) * texture[..., 3:] // 255
    matrix = similarity((256, 192), 0.3, 1.1, (3.3, 2.7)) @ placement((256, 192), (SIDE, SIDE), 1.0, False)
    inverse = np.linalg.inv(matrix)
    box = bounds(matrix, SIDE, SIDE, HEIGHT, WIDTH)
    top, bottom, left, right = box
    canvas, instances = np.zeros((HEIGHT, WIDTH, 3), np.float32), np.zeros((HEIGHT, WIDTH), np.int32)
    lattice, gain = np.zeros((2, 2, 2), np.float32), np.ones(3, np.float32)

    def ours() -> None:
        draw(canvas, instances, texture, False, inverse, lattice, 1.0, False, gain, np.float32(1), 1, box)

    moved = matrix.copy()
    moved[0, 2] -= left
    moved[1, 2] -= top

    def opencv() -> None:
        layer = cv2.warpAffine(texture, moved[:2], (right - left, bottom - top), flags=cv2.INTER_LINEAR)
        alpha = layer[..., 3:].astype(np.float32)
        part = canvas[top:bottom, left:right]
        part *= 1 - alpha / 255
        part += layer[..., :3]
        instances[top:bottom, left:right][alpha[..., 0] > 127.5] = 1

    ours()
    print(f"one layer of {right - left}x{bottom - top} px: ours {best(ours):.2f} ms, OpenCV {best(opencv):.2f} ms")

    ramp = np.repeat(np.linspace(0, 255, 32, dtype=np.float32)[None], 8, axis=0)
    errors = []
    for shift in np.linspace(0, 1, 201, dtype=np.float32)[:-1]:
        seen = cv2.warpAffine(ramp, np.array([[1, 0, shift], [0, 1, 0]]), (32, 8), flags=cv2.INTER_LINEAR)
        errors.append(abs(float((ramp[0, 16] - seen[0, 16]) / (ramp[0, 1] - ramp[0, 0])) - float(shift)))
    print(f"OpenCV moves by the wrong amount by up to {max(errors):.4f} px, on average {np.mean(errors):.4f} px")
    opaque = np.dstack([np.repeat((ramp[..., None]).astype(np.uint8), 3, -1), np.full(ramp.shape, 255, np.uint8)])
    pair = render([Layer(opaque, np.eye(3), similarity((0, 0), 0, 1, (0.3, 0)), endless=True)], 8, 32)
    print(f"ours: flow of a shift by 0.3 px is {pair.forward[4, 10, 0]:.7f}")


if __name__ == "__main__":
    main()
