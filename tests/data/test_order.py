"""The training order: shares, epochs and the window of a pool."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opticflow.data.order import BLOCK, Interleaving, Renewal, Shuffle
from opticflow.errors import InputError


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=5), st.integers(0, 10))
def test_sources_come_as_often_as_their_shares_say(shares, seed):
    order = Interleaving(shares, seed)
    drawn = [order(position) for position in range(2 * BLOCK)]
    counts = np.bincount([source for source, _ in drawn], minlength=len(shares))
    assert np.abs(counts / (2 * BLOCK) - np.array(shares) / sum(shares)).max() <= len(shares) / BLOCK
    for source in range(len(shares)):
        assert [draw for drawn_from, draw in drawn if drawn_from == source] == list(range(counts[source]))


def test_any_position_can_be_asked_for_first():
    shares, positions = [3, 1, 2], [5000, 3, 1023, 1024, 70_000]
    straight = Interleaving(shares, 4)
    walked = {position: straight(position) for position in range(6000)}
    for position in positions:
        assert Interleaving(shares, 4)(position) == walked.get(position, straight(position))
    other = [Interleaving(shares, 5)(position) for position in range(100)]
    assert other != [walked[position] for position in range(100)]


def test_rafts_mix_for_sintel_is_that_of_the_repeated_sets():
    sizes = {"clean": 100 * 1041, "final": 100 * 1041, "kitti": 200 * 200, "hd1k": 5 * 1047, "things": 40_302}
    order = Interleaving(list(sizes.values()), 0)
    counts = np.bincount([order(position)[0] for position in range(BLOCK)])
    expected = [BLOCK * size / sum(sizes.values()) for size in sizes.values()]
    assert np.abs(counts - expected).max() <= 1


@given(st.integers(1, 60), st.integers(0, 5))
def test_every_epoch_shows_each_item_once_in_another_order(count, seed):
    order = Shuffle(count, seed)
    epochs = [[order(epoch * count + place) for place in range(count)] for epoch in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(count))
    if count > 20:
        assert epochs[0] != epochs[1]
    assert Shuffle(count, seed)(count + count // 2) == epochs[1][count // 2]


def test_a_pool_is_renewed_slowly_and_used_evenly():
    order = Renewal(capacity=32, uses=6, seed=1, first=4)
    assert order.window(0) == range(4)
    assert order.window(6 * 28) == range(32)
    assert order.window(6 * 100) == range(72, 104)
    drawn = [order(draw) for draw in range(6 * 1000)]
    assert all(number in order.window(draw) for draw, number in enumerate(drawn))
    uses = np.bincount(drawn)[100:900]
    assert uses.mean() == pytest.approx(6, rel=0.05)
    assert (uses == 0).mean() < 0.02


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="wanted numbers larger than 0"):
        Interleaving([1, 0], 0)
    with pytest.raises(InputError, match="wanted at least 1 each"):
        Renewal(4, 2, 0, first=8)
