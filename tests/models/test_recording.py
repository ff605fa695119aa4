"""A trace shows what happened and changes nothing."""

import pytest
import torch

from opticflow.models import build
from opticflow.models.recording import record
from opticflow.ops.grid import pixel_grid


def frames(height: int = 64, width: int = 128) -> tuple[torch.Tensor, torch.Tensor]:
    first = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    return first, first.roll(2, 3)


@pytest.mark.parametrize("name", ["RAFT", "RAFT-small"])
def test_raft_shows_every_iteration(name):
    network = build(name, iterations=3).eval()
    with torch.no_grad():
        plain = network(*frames())
        with record(network) as trace:
            flow = network(*frames())
        assert torch.equal(flow, plain)
        assert torch.equal(torch.stack(trace.flows), torch.stack(network.predictions(*frames())))
    assert [len(seen) for seen in (trace.correlation_features, trace.hidden_states, trace.pyramids)] == [3, 3, 1]
    assert [tuple(level.shape[-2:]) for level in trace.pyramids[0]] == [(8, 16), (4, 8), (2, 4), (1, 2)]
    assert [tuple(mask.shape) for mask in trace.masks] == ([(1, 576, 8, 16)] * 3 if name == "RAFT" else [])
    # what the first iteration reads is the likeness at zero flow
    radius = network.correlation.radius
    centre = trace.correlation_features[0][:, (2 * radius + 1) ** 2 // 2]
    x, y = pixel_grid(8, 16, like=centre).long()
    own = trace.pyramids[0][0].view(8, 16, 8, 16)[y, x, y, x]
    torch.testing.assert_close(centre[0], own)


def test_nothing_is_recorded_after_the_block():
    network = build("RAFT-small", iterations=1).eval()
    with torch.no_grad(), record(network) as trace:
        network(*frames())
    with torch.no_grad():
        network(*frames())
    assert len(trace.flows) == 1


def test_flownets_show_every_scale_of_every_estimator():
    network = build("FlowNet2-cs").eval()
    with torch.no_grad(), record(network) as trace:
        network(*frames())
        last = network.predictions(*frames())
    assert [flow.shape[-2] for flow in trace.flows[:10]] == [1, 2, 4, 8, 16] * 2
    assert all(torch.equal(seen, wanted) for seen, wanted in zip(trace.flows[5:10], last, strict=True))


def test_recording_leaves_training_alone():
    network = build("RAFT-small", iterations=2)
    network.predictions(*frames())[-1].sum().backward()
    plain = [parameter.grad.clone() for parameter in network.parameters()]
    network.zero_grad()
    with record(network) as trace:
        network.predictions(*frames())[-1].sum().backward()
    assert all(torch.equal(parameter.grad, g) for parameter, g in zip(network.parameters(), plain, strict=True))
    assert not trace.flows[0].requires_grad
