"""Warping by known flow."""

import torch

from opticflow.ops.warp import leaves_frame, warp


def ramp() -> torch.Tensor:
    """A 4 x 6 picture whose value is 10 y + x + 1."""
    y, x = torch.meshgrid(torch.arange(4.0), torch.arange(6.0), indexing="ij")
    return (10 * y + x + 1)[None, None]


def constant_flow(u: float, v: float) -> torch.Tensor:
    return torch.tensor([float(u), float(v)])[None, :, None, None].expand(1, 2, 4, 6)


def test_warp_reads_at_the_target():
    warped = warp(ramp(), constant_flow(1.5, 1))
    torch.testing.assert_close(warped[0, 0, :3, :4], ramp()[0, 0, :3, :4] + 11.5)


def test_border_clamp_repeats_the_edge():
    assert warp(ramp(), constant_flow(100, 0))[0, 0, 2].tolist() == [26.0] * 6


def test_zero_neighbours_fades_out():
    assert warp(ramp(), constant_flow(0.5, 0), border="zero-neighbours")[0, 0, 0, 5] == 3.0


def test_zero_outside_clamps_within_the_last_pixel_and_is_zero_beyond():
    """Caffe's FlowWarp: zero for x2 < 0 or x2 >= W, the neighbours inside clamped."""
    assert warp(ramp(), constant_flow(0.5, 0), border="zero-outside")[0, 0, 0, 5] == 6.0
    assert warp(ramp(), constant_flow(1.0, 0), border="zero-outside")[0, 0, 0, 5] == 0.0
    assert warp(ramp(), constant_flow(-0.5, 0), border="zero-outside")[0, 0, 0, 0] == 0.0


def test_leaves_frame_counts_what_passes_the_outer_pixel_centres():
    leaving = leaves_frame(constant_flow(2, -1))[0]
    expected = torch.zeros(4, 6, dtype=torch.bool)
    expected[0] = True
    expected[:, 4:] = True
    assert (leaving == expected).all()
