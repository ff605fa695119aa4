"""What RAFT promises beyond what all networks do."""

import numpy as np
import pytest
import torch

from opticflow.errors import InputError
from opticflow.estimator import Estimator
from opticflow.models import build
from opticflow.models.raft import RAFT
from opticflow.ops.correlation import CorrelationVolume
from pictures import moving


def network(name: str, iterations: int = 3) -> RAFT:
    torch.manual_seed(0)
    made = build(name, iterations=iterations).eval()
    assert isinstance(made, RAFT)
    return made


def frames(height: int = 64, width: int = 96) -> tuple[torch.Tensor, torch.Tensor]:
    first = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    return first, first.roll(2, 3)


@pytest.mark.parametrize("name", ["RAFT", "RAFT-small"])
def test_the_flow_is_the_last_prediction(name):
    with torch.no_grad():
        predictions = network(name).predictions(*frames())
        assert len(predictions) == 3
        assert torch.equal(predictions[-1], network(name)(*frames()))


def test_iterations_are_asked_for():
    raft = network("RAFT-small", 5)
    with torch.no_grad():
        all_five = raft.predictions(*frames())
        assert len(all_five) == 5 and len(raft.predictions(*frames(), iterations=2)) == 2
        assert torch.equal(raft(*frames(), iterations=2), all_five[1])
    with pytest.raises(InputError, match="iterations is 0; wanted a whole number"):
        raft(*frames(), iterations=0)


@pytest.mark.parametrize("name", ["RAFT", "RAFT-small"])
def test_the_initial_flow_is_in_pixels_of_the_frames(name):
    """With an update block that changes nothing, what comes out is what went in."""
    raft = network(name, 1)
    torch.nn.init.zeros_(raft.update_block.flow_head[-1].weight)
    torch.nn.init.zeros_(raft.update_block.flow_head[-1].bias)
    start = torch.tensor([6.0, -3.0]).view(1, 2, 1, 1).expand(1, 2, 64, 96)
    with torch.no_grad():
        flow = raft(*frames(), init_flow=start)
        assert torch.equal(raft(*frames()), torch.zeros(1, 2, 64, 96))
    torch.testing.assert_close(flow[:, :, 8:-8, 8:-8], start[:, :, 8:-8, 8:-8])


def test_going_on_from_a_flow_is_the_same_through_the_estimator():
    clip = moving(61, 83, 2)
    estimator = Estimator(network("RAFT-small"), device="cpu", precision="fp32")
    zero = estimator(*clip, init_flow=np.zeros((61, 83, 2), np.float32))
    np.testing.assert_allclose(zero, estimator(*clip), atol=1e-4)
    assert np.abs(estimator(*clip, init_flow=np.full((61, 83, 2), 9, np.float32)) - zero).max() > 1e-3


def test_only_first_frames_need_the_context_encoder():
    raft = network("RAFT-small")
    seen = []
    raft.context_encoder.register_forward_hook(lambda *_: seen.append(1))
    list(Estimator(raft, device="cpu", precision="fp32").stream(moving(64, 64, 4)))
    assert len(seen) == 3


def test_correlation_is_in_full_precision_under_autocast():
    raft = network("RAFT-small")
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        encoded = [raft.encode(frame) for frame in frames()]
        volume = raft.correlation(encoded[0]["features"], encoded[1]["features"])
        assert all(level.dtype == torch.float32 for level in volume.pyramid)
        flow = raft(*frames())
    wanted = CorrelationVolume(*(one["features"].float() for one in encoded), levels=4, radius=3)
    torch.testing.assert_close(volume.pyramid[0], wanted.pyramid[0], rtol=0, atol=0)
    assert flow.dtype == torch.float32 and flow.isfinite().all()


@pytest.mark.parametrize("name", ["RAFT", "RAFT-small"])
@pytest.mark.parametrize(("height", "width"), [(64, 64), (96, 128), (120, 160), (16, 24)])
def test_frames_below_128_pixels_give_finite_flow(name, height, width):
    with torch.no_grad():
        flow = network(name)(*frames(height, width))
    assert flow.shape == (1, 2, height, width) and flow.isfinite().all()


def test_each_iteration_learns_from_its_own_change_alone():
    raft = network("RAFT-small", 2).train()
    starts = []
    raft.update_block.register_forward_pre_hook(lambda _, seen: starts.append(seen[3]))
    raft.predictions(*frames())[-1].sum().backward()
    assert all(not start.requires_grad for start in starts)
