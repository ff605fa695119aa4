"""Batches from the ring: with workers in name only, and once with real ones."""

from dataclasses import replace
from functools import partial
from itertools import count, islice

import numpy as np
import pytest
import torch

from opticflow.data import device_stream
from opticflow.data.augmentation import PRESETS
from opticflow.data.augmentation.batched import RawSamples
from opticflow.data.device_stream import DeviceStream
from opticflow.data.raw import Arrival, Origin, in_steps
from opticflow.errors import InputError
from opticflow.shapes import Sample
from waves import Waves, photometric_error

SIZE = (48, 64)
PLAIN = replace(PRESETS["default-mix"], colours=(), eraser=None)


class Instant:
    """Workers of which one sample is ready whenever somebody asks."""

    def __init__(self, mix, size, *, workers, seed, first=0):
        self.mix, self.slots, self.numbers, self.free = mix, RawSamples.empty(1, size), count(), True

    def arrived(self, timeout):
        assert self.free
        self.free = False
        number = next(self.numbers)
        world = self.mix[number % len(self.mix)].make()
        sample = world[number % len(world)]
        parts = (sample.first, sample.second, *in_steps(sample.flow, sample.valid))
        for room, part in zip(self.slots.parts, parts, strict=True):
            room[0] = torch.from_numpy(part)
        return [Arrival(0, number % len(self.mix), f"sample {number}")]

    def release(self, slot):
        self.free = True

    def close(self):
        pass


@pytest.fixture
def stream(monkeypatch):
    monkeypatch.setattr(device_stream, "RawWorkers", Instant)

    def make(mix=None, **changes):
        mix = mix or [Origin("waves", partial(Waves, 7), PLAIN)]
        settings = {"crop": (32, 40), "batch": 4, "device": "cpu", "workers": 1, "capacity": 12, "size": SIZE}
        return DeviceStream(mix, **{**settings, **changes})

    return make


def sample(batch, number: int) -> Sample:
    frames = [
        np.rint(255 * part[number].permute(1, 2, 0).numpy()).astype(np.uint8)
        for part in (batch.first.cpu(), batch.second.cpu())
    ]
    valid = batch.valid[number].cpu().numpy()
    return Sample(*frames, batch.flow[number].permute(1, 2, 0).cpu().numpy(), valid, ~valid)


def test_a_batch_is_what_networks_take(stream):
    batch = next(stream().batches())
    assert batch.first.shape == batch.second.shape == (4, 3, 32, 40) and batch.flow.shape == (4, 2, 32, 40)
    assert batch.first.dtype == batch.flow.dtype == torch.float32 and batch.valid.dtype == torch.bool
    assert 0 <= batch.first.min() and 0.5 < batch.first.max() <= 1
    assert batch.first.is_contiguous(memory_format=torch.channels_last)
    assert len(set(batch.names)) == 4
    assert photometric_error(sample(batch, 0)) < 5


def test_it_waits_for_enough_and_then_takes_what_is_ready(stream):
    made = stream(minimum=9)
    batches = made.batches()
    next(batches)
    assert made.ring.put_in == 10  # nine, and one that was ready
    for _ in range(5):
        names = next(batches).names
    assert made.ring.put_in == 15 and len(made.ring) == 12
    assert made.uses == 6 * 4 / 15
    assert set(names) <= {f"sample {number}" for number in range(3, 15)}
    assert stream().minimum == 12 and stream(capacity=9000).minimum == 256
    assert stream(capacity=9000, batch=32).minimum == 320


def test_seed_and_step_decide_draws_and_variations(stream):
    def flows(start, **changes):
        return [batch.flow for batch in islice(stream(**changes).batches(start), 2)]

    assert all(torch.equal(one, other) for one, other in zip(flows(0), flows(0), strict=True))
    first, second = flows(0)
    assert not torch.equal(first, second)
    assert not torch.equal(first, flows(0, seed=1)[0])
    assert not torch.equal(first, flows(4)[0])


def test_each_sample_has_the_augmentation_of_its_origin(stream):
    still = partial(Waves, 1)  # whose only sample does not move
    mix = [Origin("plain", still, PRESETS["none"]), Origin("moved", still, PRESETS["default-far"])]
    moved = {0: [], 1: []}
    for batch in islice(stream(mix).batches(), 12):
        for name, flow in zip(batch.names, batch.flow, strict=True):
            moved[int(name.split()[1]) % 2].append(flow.abs().max().item())
    assert max(moved[0]) < 1e-4 and max(moved[1]) > 1


def test_the_crop_may_change_from_step_to_step(stream):
    sizes = [
        batch.valid.shape[1:] for batch in islice(stream(crop=lambda s: (24, 56) if s % 3 else (32, 40)).batches(4), 3)
    ]
    assert sizes == [(24, 56), (24, 56), (32, 40)]


def test_the_schedule_of_augmentations_counts_steps(stream):
    told = []

    class Watched(type(PLAIN)):
        def draw(self, rng, size, crop, *, after: float = 0):
            told.append(after)
            return super().draw(rng, size, crop, after=after)

    mix = [Origin("waves", partial(Waves, 7), Watched("a test", PLAIN.geometry))]
    for _ in islice(stream(mix, begun=100, pace=10).batches(8), 2):
        pass
    assert told == [120] * 4 + [130] * 4


def test_numbers_that_make_no_sense_are_refused(stream):
    for changes in ({"batch": 0}, {"capacity": 3}, {"minimum": 13}, {"minimum": 3}):
        with pytest.raises(InputError, match="each no more than the next"):
            stream(**changes)
    with pytest.raises(InputError, match="begins at sample 6; wanted a multiple of 4"):
        next(stream().batches(6))


@pytest.mark.parametrize("device", ["cpu", *(["cuda"] if torch.cuda.is_available() else [])])
def test_with_real_processes(device):
    mix = [Origin("waves", partial(Waves, 7), PLAIN)]
    with DeviceStream(
        mix, crop=(32, 40), batch=4, device=device, workers=2, capacity=20, size=(40, 60), minimum=10
    ) as stream:
        for batch in islice(stream.batches(), 3):
            assert batch.flow.device.type == device
            for number in range(4):
                assert photometric_error(sample(batch, number)) < 5
    assert not any(process.is_alive() for process in stream.workers.processes)
