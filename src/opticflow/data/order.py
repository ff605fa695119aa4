"""The order of samples in an endless training: pure functions that map a seed and a position to a sample.

So a run can resume at any position without replaying what came before, and the samples do not depend on how many
workers or processes share the work.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from opticflow.errors import InputError

BLOCK = 1024
"""Number of draws in a block. Each block is divided among the sources by their shares, to within one draw."""

GOLDEN = (5**0.5 - 1) / 2
"""A number whose multiples modulo 1 are evenly distributed (Weyl sequence)."""


def is_chosen(position: int, share: float) -> bool:
    """Whether a position belongs to an evenly distributed share of all positions."""
    return position * GOLDEN % 1 < share


@dataclass(frozen=True)
class Interleaving:
    """A random order of several sources: it maps a position to a source and to the number of the draw within it."""

    shares: Sequence[float]
    """Shares of the sources, in any unit."""
    seed: int
    _quotas: list[int] = field(init=False, repr=False)
    _blocks: dict[int, tuple[np.ndarray, np.ndarray]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self):
        if not self.shares or min(self.shares) <= 0 or len(self.shares) > BLOCK:
            raise InputError(f"the shares of the data sets are {list(self.shares)}; wanted numbers larger than 0")
        exact = np.array(self.shares) / sum(self.shares) * BLOCK  # draws per block, not yet rounded
        # each source gets at least one draw per block, or it would never be drawn
        quotas = np.maximum(1, np.floor(exact)).astype(int)
        while quotas.sum() != BLOCK:  # correct the largest rounding errors first
            change = 1 if quotas.sum() < BLOCK else -1
            quotas[np.argmax(change * (exact - quotas))] += change
        object.__setattr__(self, "_quotas", quotas.tolist())

    def __call__(self, position: int) -> tuple[int, int]:
        """Return the number of the source and the number of its draw, from 0."""
        block, place = divmod(position, BLOCK)
        if block not in self._blocks:
            self._blocks.clear()  # only the block in use is kept
            sources = np.repeat(np.arange(len(self._quotas)), self._quotas)
            np.random.default_rng([self.seed, 1, block]).shuffle(sources)
            turns = np.zeros(BLOCK, dtype=int)  # number of the draw within the block, by source
            for source, quota in enumerate(self._quotas):
                turns[sources == source] = np.arange(quota)
            self._blocks[block] = sources, turns
        sources, turns = self._blocks[block]
        source = int(sources[place])
        # every block before this one has taken exactly `quota` draws of the source
        return source, block * self._quotas[source] + int(turns[place])


@dataclass(frozen=True)
class Shuffle:
    """A random order of `count` items, different in each epoch."""

    count: int
    seed: int
    _epochs: dict[int, np.ndarray] = field(init=False, repr=False, default_factory=dict)

    def __call__(self, draw: int) -> int:
        """Return the item of a draw."""
        epoch, place = divmod(draw, self.count)
        if epoch not in self._epochs:
            self._epochs.clear()  # only the epoch in use is kept
            self._epochs[epoch] = np.random.default_rng([self.seed, 2, epoch]).permutation(self.count)
        return int(self._epochs[epoch][place])


@dataclass(frozen=True)
class Renewal:
    """A random order of an endless series, in which each item is drawn several times from a sliding window.

    The window begins with `first` items, so that training starts soon, and gets one new item every `uses` draws. Once
    it has `capacity` items, each new item replaces the oldest.
    """

    capacity: int
    uses: int
    seed: int
    first: int = 16

    def __post_init__(self):
        if not 1 <= self.first <= self.capacity or self.uses < 1:
            raise InputError(
                f"a pool of {self.capacity} that begins with {self.first} and uses each {self.uses} times; "
                "wanted at least 1 each, and no more at the beginning than it holds"
            )

    def window(self, draw: int) -> range:
        """Return the numbers of the items in the window at a draw."""
        newest = self.first + draw // self.uses
        return range(max(0, newest - self.capacity), newest)

    def __call__(self, draw: int) -> int:
        """Return the item of a draw."""
        window = self.window(draw)
        return window[int(np.random.default_rng([self.seed, 3, draw]).integers(len(window)))]
