"""The average of weights against its closed form."""

import torch
from torch import nn

from opticflow.train.averaging import WeightAverage


def test_weights_are_averaged_with_a_decay_that_rises():
    layer = nn.Linear(1, 1)
    average = WeightAverage(layer, 0.5)
    wanted = layer.weight.detach().clone()
    for update, decay in [(1, 2 / 11), (2, 3 / 12), (3, 4 / 13), (4, 5 / 14)]:
        with torch.no_grad():
            layer.weight.fill_(update)
        average.update(layer)
        wanted = decay * wanted + (1 - decay) * update
    torch.testing.assert_close(average.tensors["weight"], wanted)
    for _ in range(100):  # (1 + n) / (10 + n) passes 0.5 after eight updates
        average.update(layer)
    with torch.no_grad():
        layer.weight.fill_(0)
    before = average.tensors["weight"].clone()
    average.update(layer)
    torch.testing.assert_close(average.tensors["weight"], before / 2)


def test_statistics_of_batch_norms_are_averaged_and_their_counter_is_taken_over():
    norm = nn.BatchNorm2d(2)
    average = WeightAverage(norm, 0.9)
    norm(torch.randn(2, 2, 3, 3))
    average.update(norm)
    assert average.tensors["num_batches_tracked"] == 1
    torch.testing.assert_close(average.tensors["running_mean"], norm.running_mean * 9 / 11)


def test_a_network_has_the_average_within_the_block_alone():
    layer = nn.Linear(2, 2)
    average = WeightAverage(layer, 0.999)
    kept, own = layer.weight.detach().clone(), torch.full((2, 2), 7.0)
    with torch.no_grad():
        layer.weight.copy_(own)
    with average.within(layer):
        assert torch.equal(layer.weight, kept)
    assert torch.equal(layer.weight, own)


def test_it_goes_on_from_its_state():
    layer = nn.Linear(2, 2)
    one = WeightAverage(layer, 0.999)
    one.update(layer)
    other = WeightAverage(nn.Linear(2, 2), 0.999)
    other.restore(one.state())
    assert other.updates == 1 and torch.equal(other.tensors["bias"], one.tensors["bias"])
