"""Flow carried along itself."""

import pytest
import torch

from opticflow.ops.projection import project_forward


def test_constant_flow_stays():
    flow = torch.tensor([9.0, -4.0])[None, :, None, None].expand(1, 2, 64, 96).contiguous()
    torch.testing.assert_close(project_forward(flow), flow)


def test_a_moving_patch_arrives_where_it_points():
    flow = torch.zeros(1, 2, 64, 128)
    flow[:, 0, 16:48, 16:48] = 32
    moved = project_forward(flow)
    assert moved[0, 0, 32, 64] == 32 and moved[0, 0, 32, 120] == 0


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (17, 200)])
def test_any_size_is_finite_even_when_all_leaves(size):
    moved = project_forward(torch.full((2, 2, *size), 1000.0))
    assert moved.shape == (2, 2, *size) and torch.isfinite(moved).all()


def test_pairs_of_a_batch_do_not_touch_each_other():
    flow = 6 * torch.randn(4, 2, 64, 96, generator=torch.Generator().manual_seed(0))
    flow[1] = 1000
    together = project_forward(flow, cell=4)
    torch.testing.assert_close(together, torch.cat([project_forward(one[None], cell=4) for one in flow]))
    assert together[2].abs().max() > 1
