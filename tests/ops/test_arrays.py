"""Warping and the forward-backward check, as users call them, against OpenCV and against the tensors' own."""

import cv2
import numpy as np
import pytest
import torch

import opticflow
from opticflow.errors import InputError
from opticflow.ops import consistency
from pictures import moving


@pytest.fixture
def flow():
    y, x = np.mgrid[:48, :64].astype(np.float32)
    return np.stack((2 + x / 40, -1.5 + y / 60), -1)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_warping_is_a_bilinear_remap(flow, kind, channels):
    image = moving(48, 64, 1)[0][..., : (channels or (1,))[0]].astype(kind).reshape(48, 64, *channels)
    warped = opticflow.warp(image, flow)
    y, x = np.mgrid[:48, :64].astype(np.float32)
    wanted = cv2.remap(
        image.astype(np.float32), x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    ).reshape(image.shape)
    assert warped.dtype == kind and warped.shape == image.shape
    np.testing.assert_allclose(warped, wanted, atol=4 if kind in (np.uint8, np.uint16) else 3)  # remap: 1/32 px


def test_whole_pixels_are_moved_exactly_and_outside_is_zero_if_wanted():
    image = np.random.default_rng(0).integers(0, 256, (8, 9, 3), np.uint8)
    flow = np.zeros((8, 9, 2), np.float32)
    flow[..., 0] = 2
    np.testing.assert_array_equal(opticflow.warp(image, flow)[:, :-2], image[:, 2:])
    outside = opticflow.warp(image, flow, border="zero-outside")
    assert (outside[:, -2:] == 0).all() and (opticflow.warp(image, flow)[:, -2:] == image[:, -1:]).all()
    tensors = torch.from_numpy(image).permute(2, 0, 1)[None].float(), torch.from_numpy(flow).permute(2, 0, 1)[None]
    np.testing.assert_array_equal(opticflow.warp(*tensors)[0].permute(1, 2, 0).numpy(), opticflow.warp(image, flow))


def test_occlusion_of_arrays_is_that_of_tensors(flow):
    backward = -flow
    backward[20:30, 20:40] += 9
    hidden = opticflow.occlusion(flow, backward)
    tensors = [torch.from_numpy(one).permute(2, 0, 1)[None] for one in (flow, backward)]
    wanted = consistency.occlusion(*tensors)
    assert hidden.dtype == bool and 0.02 < hidden.mean() < 0.3
    np.testing.assert_array_equal(hidden, wanted[0].numpy())
    assert torch.equal(opticflow.occlusion(*tensors), wanted)
    assert opticflow.occlusion(flow, backward, absolute=1000).sum() < hidden.sum()


def test_what_does_not_belong_together_is_one_line(flow):
    image = np.zeros((48, 64, 3), np.uint8)
    unknown = flow.copy()
    unknown[3, 4] = np.nan
    for call in (
        lambda: opticflow.warp(image[:-1], flow),
        lambda: opticflow.warp(image, unknown),
        lambda: opticflow.warp(image, flow[..., :1]),
        lambda: opticflow.warp(image, flow, border="wrap"),
        lambda: opticflow.warp(torch.zeros(1, 3, 8, 8), torch.zeros(1, 2, 8, 9)),
        lambda: opticflow.occlusion(flow, flow[:-1]),
        lambda: opticflow.occlusion(torch.zeros(1, 2, 8, 8), torch.zeros(1, 2, 8, 9)),
    ):
        with pytest.raises(InputError) as refused:
            call()
        assert len(str(refused.value).splitlines()) == 1
