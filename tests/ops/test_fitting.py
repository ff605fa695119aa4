"""Padding and resizing, and their undoing."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from opticflow.ops.fitting import Fitting
from opticflow.ops.resizing import resize_flow

SIDES = st.integers(1, 70)


@given(SIDES, SIDES, st.sampled_from([1, 8, 64]), st.sampled_from(["pad", "resize"]), st.sampled_from([0.5, 1.0, 1.7]))
def test_the_network_gets_multiples_of_its_stride_and_the_caller_his_size(height, width, stride, mode, scale):
    fitting = Fitting(height, width, stride, mode=mode, scale=scale)
    fitted = fitting.fit(torch.rand(1, 3, height, width))
    assert fitted.shape[-2:] == fitting.size and not any(side % stride for side in fitting.size)
    assert fitting.restore(torch.zeros(1, 2, *fitting.size)).shape == (1, 2, height, width)


@given(SIDES, SIDES, st.sampled_from(["center", "bottom"]))
def test_padding_is_undone_exactly(height, width, padding):
    fitting = Fitting(height, width, 8, padding=padding)
    flow = torch.rand(1, 2, height, width)
    torch.testing.assert_close(fitting.restore(fitting.fit_flow(flow)), flow, rtol=0, atol=0)


@pytest.mark.parametrize(("padding", "top"), [("center", 1), ("bottom", 0)])
def test_margins_are_those_of_raft(padding, top):
    """133 x 205 -> 136 x 208: RAFT's InputPadder puts 1 column left, 2 right; 1 row above (Sintel) or none (KITTI)."""
    frames = torch.rand(1, 3, 133, 205)
    fitted = Fitting(133, 205, 8, padding=padding).fit(frames)
    torch.testing.assert_close(fitted[:, :, top : top + 133, 1:206], frames, rtol=0, atol=0)
    torch.testing.assert_close(fitted[:, :, top, 0], frames[:, :, 0, 0], rtol=0, atol=0)


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_flow_lengths_follow_the_scale(scale):
    fitting = Fitting(40, 60, scale=scale)
    flow = torch.ones(1, 2, *fitting.size)
    torch.testing.assert_close(fitting.restore(flow), torch.full((1, 2, 40, 60), 1 / scale))


def test_each_axis_has_its_own_factor():
    flow = resize_flow(torch.ones(1, 2, 10, 10), (20, 30))
    assert flow[0, 0].unique().tolist() == [3.0] and flow[0, 1].unique().tolist() == [2.0]
