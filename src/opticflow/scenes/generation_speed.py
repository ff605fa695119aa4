"""Measure the speed of generation: pairs, or frames of sequences, per second on one core."""

import time
from dataclasses import dataclass

import cv2

from opticflow.scenes.things_renderer import ThingsSequence
from opticflow.scenes.worlds import make_world


@dataclass(frozen=True)
class GenerationSpeed:
    """The generation speed of one world."""

    kind: str
    size: tuple[int, int]
    """Height and width of the frames."""
    pairs: int
    """Number of pairs made in each round. For worlds of sequences: the number of frames, each with both passes, both
    flows and all maps."""
    stocking_seconds: float
    """Processor time in seconds to make the pictures and objects of the world, except those that the first item has
    already made. Each process spends it once, independent of the number of pairs."""
    seconds_per_pair: float
    """Processor time in seconds per pair when all pictures and objects exist; the smallest value of all rounds."""

    @property
    def pairs_per_second(self) -> float:
        """Pairs per second on one core."""
        return 1 / self.seconds_per_pair


def measure_generation_speed(
    kind: str, *, size: tuple[int, int] | None = None, pairs: int = 50, rounds: int = 3
) -> GenerationSpeed:
    """Generate pairs in this process on one thread, and measure the processor time.

    Args:
        size: height and width of the frames; None means the default size of the world.
        pairs: number of pairs (or frames of sequences) per round, rounded up to whole items.
        rounds: number of repetitions.
    """
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        world = make_world(kind, 0, size)
        first = world.item(0)  # compiles the kernels, so that compilation is not measured
        each = len(first.frames) if isinstance(first, ThingsSequence) else 1
        items = -(-pairs // each)
        begun = time.process_time()
        world.prepare()
        stocking = time.process_time() - begun
        best = float("inf")
        for _ in range(rounds):
            begun = time.process_time()
            for index in range(1, items + 1):
                world.item(index)
            best = min(best, (time.process_time() - begun) / (items * each))
    finally:
        cv2.setNumThreads(threads)
    return GenerationSpeed(kind, world.size, items * each, stocking, best)
