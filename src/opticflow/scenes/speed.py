"""How fast worlds are made: pairs per second of one core."""

import time
from dataclasses import dataclass

import cv2

from opticflow.scenes.worlds import CHAIRS_SIZE, make_world


@dataclass(frozen=True)
class Speed:
    """One measurement."""

    kind: str
    size: tuple[int, int]
    """Height and width."""
    pairs: int
    stocking_seconds: float
    """To make all the pictures and objects of the world once; a run of many pairs pays it once per process."""
    seconds_per_pair: float
    """With the stock made: processor time, the best of the rounds."""

    @property
    def pairs_per_second(self) -> float:
        """Of one core."""
        return 1 / self.seconds_per_pair


def measure_speed(kind: str, *, size: tuple[int, int] = CHAIRS_SIZE, pairs: int = 50, rounds: int = 3) -> Speed:
    """Make pairs in this process, on one thread, by the processor's time."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        world = make_world(kind, 0, size)
        world[0]  # compiles
        begun = time.process_time()
        world.stock()
        stocking = time.process_time() - begun
        best = float("inf")
        for _ in range(rounds):
            begun = time.process_time()
            for index in range(pairs):
                world[index]
            best = min(best, (time.process_time() - begun) / pairs)
    finally:
        cv2.setNumThreads(threads)
    return Speed(kind, size, pairs, stocking, best)
