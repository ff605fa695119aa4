"""A pool of generated samples. Each sample is used several times, and the pool is renewed gradually.

Generating a pair takes tens of milliseconds; augmenting a stored pair takes a few. The sample of a draw depends only on
the seed and the number of the draw (`order.Renewal`), not on the contents of the pool: a missing sample is generated
again, with identical bits. So the pool is only a cache, and a run that was killed resumes with the same samples.
"""

import io
import os
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from opticflow.data.order import Renewal
from opticflow.scenes.rendered import RenderedPair
from opticflow.shapes import Sample

SLACK = 256
"""Number of samples kept behind the window, since workers are not all at the same draw: 15 workers with 4 batches of 32
samples each can be 1,900 draws apart, which is 240 samples at 8 uses."""


@runtime_checkable
class PairSeries(Protocol):
    """Protocol of an endless series of pairs; `series[number]` depends only on the number."""

    def __getitem__(self, number: int, /) -> RenderedPair | Sample: ...


@dataclass(frozen=True)
class SamplePool:
    """A cache of the samples of a synthetic world; `pool[draw]` is the sample of a draw."""

    make_world: Callable[[], PairSeries]
    """Function that makes the world, called once in every process that makes samples: `partial(make_world, "chairs",
    seed, size)`. It is sent to the workers instead of the world, so it must be picklable."""
    seed: int = 0
    """Seed of the order of samples, not of the world."""
    capacity: int = 512
    """Number of samples that are in use at the same time."""
    uses: int = 8
    """Mean number of times that each sample is drawn."""
    folder: Path | None = None
    """Folder for the samples of this pool only, shared by all workers and processes of a run. None means that each
    process keeps them in memory. A sample of 512x384 takes 3.1 MB. Everything in the folder can be deleted at any
    time."""
    both_directions: bool = True
    """Whether every second sample is the previous sample with time reversed."""
    _memory: OrderedDict[int, Sample] = field(init=False, repr=False, default_factory=OrderedDict)
    _worlds: list[PairSeries] = field(init=False, repr=False, default_factory=list)

    def __post_init__(self):
        Renewal(self.capacity, self.uses, self.seed, min(16, self.capacity))  # raises an error for invalid values
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def order(self) -> Renewal:
        """Return the function that maps a draw to the number of its sample."""
        return Renewal(self.capacity, self.uses, self.seed, min(16, self.capacity))

    def __getitem__(self, draw: int) -> Sample:
        number = self.order(draw)
        kept = self._kept(number)
        if kept is not None:
            return kept
        for made, sample in self._made(number).items():
            self._keep(made, sample)
            if made == number:
                kept = sample
        assert kept is not None
        return kept

    def _made(self, number: int) -> dict[int, Sample]:
        """Generate sample number `number`, and its time-reversed twin if there is one; return them by number."""
        both = self.both_directions
        if not self._worlds:
            self._worlds.append(self.make_world())
        # two neighbouring numbers are the two directions of one pair
        pair = self._worlds[0][number // 2 if both else number]
        if isinstance(pair, Sample):
            return {number: pair}
        if not both:
            return {number: pair.sample()}
        first = number - number % 2  # the even number is the pair, the odd one the pair with time reversed
        return {first: pair.sample(), first + 1: pair.reversed().sample()}

    def _kept(self, number: int) -> Sample | None:
        if self.folder is None:
            return self._memory.get(number)
        try:
            return _unpacked(self._path(number).read_bytes())
        except (OSError, ValueError, KeyError):  # missing or damaged: the sample is generated again
            return None

    def _keep(self, number: int, sample: Sample) -> None:
        if self.folder is None:
            self._memory[number] = sample
            while len(self._memory) > self.capacity + SLACK:
                self._memory.popitem(last=False)
            return
        path = self._path(number)
        # written under a temporary name first, so that no process reads an incomplete file
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        temporary.write_bytes(_packed(sample))
        temporary.replace(path)
        # a sample this far behind the window is no longer drawn
        self._path(number - self.capacity - SLACK).unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        assert self.folder is not None
        return self.folder / f"{number}.sample"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_memory": OrderedDict(), "_worlds": []}  # each worker starts with an empty cache


def _packed(sample: Sample) -> bytes:
    file = io.BytesIO()
    header = np.array([*sample.valid.shape, len(sample.name.encode())], dtype="<i8")
    masks = np.packbits(np.stack([sample.valid, sample.occluded]))  # two masks in one array of bits
    for part in (header, sample.first, sample.second, sample.flow.astype("<f4", copy=False), masks):
        file.write(part.tobytes())
    file.write(sample.name.encode())
    return file.getvalue()


def _unpacked(data: bytes) -> Sample:
    height, width, letters = (int(number) for number in np.frombuffer(data, "<i8", 3))
    area = height * width
    masks = -(-2 * area // 8)  # bytes, rounded up
    ends = np.cumsum([24, 3 * area, 3 * area, 8 * area, masks, letters])  # header, frames, flow, masks, name
    if len(data) != ends[-1]:
        raise ValueError("cut off")
    first, second, flow, bits, name = (data[begin:end] for begin, end in pairwise(ends))
    valid, occluded = (
        np.unpackbits(np.frombuffer(bits, np.uint8), count=2 * area).astype(bool).reshape(2, height, width)
    )
    return Sample(
        np.frombuffer(first, np.uint8).reshape(height, width, 3),
        np.frombuffer(second, np.uint8).reshape(height, width, 3),
        np.frombuffer(flow, "<f4").reshape(height, width, 2).astype(np.float32, copy=False),
        valid,
        occluded,
        name.decode(),
    )
