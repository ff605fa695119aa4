"""Measure how fast worlds are generated: pairs, or frames of sequences, per second on one core."""

import time
from dataclasses import dataclass

import cv2

from opticflow.scenes.things_renderer import ThingsSequence
from opticflow.scenes.worlds import make_world


@dataclass(frozen=True)
class GenerationSpeed:
    """The speed of one world."""

    kind: str
    size: tuple[int, int]
    """Height and width."""
    pairs: int
    """Number of pairs that were made; for worlds of sequences, number of frames, each with both passes, both flows and
    all maps."""
    stocking_seconds: float
    """Processor time to make all pictures and objects of the world. A process pays it once, however many pairs it
    makes."""
    seconds_per_pair: float
    """Processor time of a pair once the pictures and objects exist; the best of the rounds."""

    @property
    def pairs_per_second(self) -> float:
        """Pairs per second on one core."""
        return 1 / self.seconds_per_pair


def measure_generation_speed(
    kind: str, *, size: tuple[int, int] | None = None, pairs: int = 50, rounds: int = 3
) -> GenerationSpeed:
    """Make pairs in this process, on one thread, and measure the processor time."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        world = make_world(kind, 0, size)
        first = world.item(0)  # compiles
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
