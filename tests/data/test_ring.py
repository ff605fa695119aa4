"""The ring against a list."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from opticflow.data.augmentation.batched import RawSamples
from opticflow.data.ring import Note, Ring
from opticflow.errors import InputError

SIZE = (2, 3)


def numbered(number: int) -> RawSamples:
    """Two samples of which the second shows a number."""
    samples = RawSamples.empty(2, SIZE)
    for part in samples.parts:
        part.fill_(1)
    samples.first[1], samples.second[1], samples.flow[1] = number, number + 1, -number
    samples.valid[1] = number % 2 == 0
    return samples


@given(st.integers(1, 7), st.integers(1, 30))
def test_the_newest_samples_are_there_and_no_other(capacity, count):
    ring = Ring(capacity, SIZE)
    for number in range(count):
        ring.put(numbered(number), 1, Note(number % 3, f"sample {number}"))
        assert len(ring) == min(number + 1, capacity)
    raw, notes = ring.draw(np.random.default_rng(count), len(ring))
    order = [int(note.name.split()[1]) for note in notes]
    assert sorted(order) == list(range(count))[-capacity:]
    assert [note.origin for note in notes] == [number % 3 for number in order]
    wanted = torch.tensor(order)
    assert torch.equal(raw.first, wanted.to(torch.uint8)[:, None, None, None].expand(-1, *SIZE, 3))
    assert torch.equal(raw.second, raw.first + 1)
    assert torch.equal(raw.flow, -wanted.to(torch.int16)[:, None, None, None].expand(-1, *SIZE, 2))
    assert torch.equal(raw.valid, (wanted % 2 == 0)[:, None, None].expand(-1, *SIZE))


def test_draws_are_even_and_counted_and_stay_as_they_are():
    ring = Ring(10, SIZE)
    for number in range(20):
        ring.put(numbered(number), 1, Note(0, str(number)))
    rng = np.random.default_rng(0)
    times = np.zeros(20, int)
    for _ in range(500):
        raw, notes = ring.draw(rng, 4)
        names = [int(note.name) for note in notes]
        assert len(set(names)) == 4
        times[names] += 1
    assert (times[:10] == 0).all() and times[10:].min() > 150
    assert ring.uses == 500 * 4 / 20
    kept = raw.first.clone()
    for number in range(10):
        ring.put(numbered(100 + number), 1, Note(0, ""))
    assert torch.equal(raw.first, kept)


def test_more_than_is_there_cannot_be_drawn():
    ring = Ring(10, SIZE)
    ring.put(numbered(0), 1, Note(0, ""))
    with pytest.raises(InputError, match="a batch of 2 from 1 samples"):
        ring.draw(np.random.default_rng(0), 2)
    with pytest.raises(InputError, match="room for 0 samples"):
        Ring(0, SIZE)
