"""The estimate of memory, against tensors that are counted by hand."""

import pytest
import torch

from opticflow.errors import InputError
from opticflow.estimator.memory import (
    LIBRARIES,
    bytes_per_pixel,
    memory_needed,
    pixels_within,
)
from opticflow.models import VariationalRefinement, build
from opticflow.models.network import FlowNetwork
from opticflow.models.refinement import BYTES
from opticflow.settings import parse_memory


@pytest.mark.parametrize(
    ("amount", "wanted"), [("4GB", 4e9), ("1.5 GiB", 1.5 * 2**30), ("500mb", 5e8), (123456, 123456), ("2G", 2e9)]
)
def test_amounts_are_read(amount, wanted):
    assert parse_memory(amount) == int(wanted)


@pytest.mark.parametrize("amount", ["", "4 apples", "-1GB", "0", "GB", "9" * 400, 10**30])
def test_what_is_no_amount_is_refused(amount):
    with pytest.raises(InputError, match="amount of memory"):
        parse_memory(amount)


def test_a_network_is_weighed_without_being_touched():
    class Doubling(FlowNetwork):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Conv2d(3, 10, 1)

        def match(self, first, second, *, init_flow=None, iterations=None):
            return self.layer(first["frames"])[:, :2] + self.layer(second["frames"])[:, :2]

    network = Doubling()
    before = network.layer.weight.clone()
    # two frames of 3, two results of 10, a sum of 2 channels
    assert bytes_per_pixel(network) == LIBRARIES * 4 * (2 * 3 + 2 * 10 + 2)
    assert torch.equal(network.layer.weight, before) and network.layer.weight.device.type == "cpu"


def test_raft_is_linear_in_pixels_and_keeps_its_settings():
    network = build("RAFT-small", iterations=5)
    assert 100 < bytes_per_pixel(network) < 1000
    assert (network.iterations, network.correlation.form) == (5, "auto")


def test_refinement_comes_after_the_network_and_needs_its_own():
    light, heavy = build("DIS"), build("RAFT")
    assert bytes_per_pixel(VariationalRefinement(light)) == BYTES > bytes_per_pixel(light)
    greys = LIBRARIES * 2
    assert bytes_per_pixel(VariationalRefinement(heavy)) == pytest.approx(bytes_per_pixel(heavy) + greys)


def test_the_need_and_the_pixels_within_it_are_each_other_s_inverse():
    network = build("RAFT-small")
    needed = memory_needed(network, 500_000, height=1080, width=1920)
    assert pixels_within(network, needed, height=1080, width=1920) == pytest.approx(500_000, rel=0.05)


def test_too_little_memory_says_how_much_is_needed():
    with pytest.raises(InputError, match=r"at least .* GB are needed"):
        pixels_within(build("RAFT-small"), 100_000_000, height=1080, width=1920)
