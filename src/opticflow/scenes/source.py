"""The pairs of a world as a sequence that can be divided among workers without changing any sample."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from opticflow.errors import InputError
from opticflow.scenes.rendered import RenderedPair
from opticflow.scenes.worlds import World


@dataclass(frozen=True)
class PairSource:
    """The pairs of a world with the indices `start`, `start + step`, ... below `stop`; endless if `stop` is None.

    Worker k of n uses `source.split(k, n)`. The pair with a given index is the same in every worker.
    """

    world: World
    start: int = 0
    stop: int | None = None
    step: int = 1

    def split(self, worker: int, workers: int) -> "PairSource":
        """Return the source of the pairs of one of several workers; the workers are numbered from 0.

        Raises:
            InputError: `worker` is not in 0 to `workers` - 1.
        """
        if not 0 <= worker < workers:
            raise InputError(f"worker {worker} of {workers}; wanted 0 to {workers - 1}")
        return replace(self, start=self.start + worker * self.step, step=self.step * workers)

    def indices(self) -> Iterator[int]:
        """Yield the indices of the pairs in the world, in order."""
        index = self.start
        while self.stop is None or index < self.stop:
            yield index
            index += self.step

    def __iter__(self) -> Iterator[RenderedPair]:
        return (self.world[index] for index in self.indices())

    def __getitem__(self, position: int) -> RenderedPair:
        index = self.start + position * self.step
        if position < 0 or (self.stop is not None and index >= self.stop):
            raise IndexError(position)
        return self.world[index]
