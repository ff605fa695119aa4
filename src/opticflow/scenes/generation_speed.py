"""How fast worlds are made: pairs, or frames of sequences, per second of one core."""

import time
from dataclasses import dataclass

import cv2

from opticflow.scenes.things_renderer import ThingsSequence
from opticflow.scenes.worlds import make_world


@dataclass(frozen=True)
class GenerationSpeed:
    """One measurement."""

    kind: str
    size: tuple[int, int]
    """Height and width."""
    pairs: int
    """Or frames, each with both passes, both flows and all maps, where a world makes sequences."""
    stocking_seconds: float
    """To make all the pictures and objects of the world once; a run of many pairs pays it once per process."""
    seconds_per_pair: float
    """With its pictures and objects made: processor time, the best of the rounds."""

    @property
    def pairs_per_second(self) -> float:
        """Pairs per second on one core."""
        return 1 / self.seconds_per_pair


def measure_generation_speed(
    kind: str, *, size: tuple[int, int] | None = None, pairs: int = 50, rounds: int = 3
) -> GenerationSpeed:
    """Make pairs in this process, on one thread, by the processor's time."""
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
