"""Frames at the edge."""

import numpy as np
import pytest
import torch

from opticflow.errors import InputError
from opticflow.shapes import as_array, as_flow, as_frame, flow_array, flow_tensor

RNG = np.random.default_rng(0)


def test_grey_and_single_channel_become_rgb():
    grey = RNG.integers(0, 256, (5, 7), dtype=np.uint8)
    for image in (grey, grey[..., None]):
        frame = as_frame(image)
        assert frame.shape == (5, 7, 3) and all((frame[..., c] == grey).all() for c in range(3))


def test_alpha_is_dropped():
    image = RNG.integers(0, 256, (5, 7, 4), dtype=np.uint8)
    np.testing.assert_array_equal(as_frame(image), image[..., :3])


def test_sixteen_bits_are_scaled_to_the_nearest_level():
    image = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    np.testing.assert_array_equal(as_frame(image)[..., 0], np.rint(image / 257).astype(np.uint8))


def test_unit_range_floats_are_scaled():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(as_frame(levels / 255.0)[..., 0], levels)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.full((4, 4, 3), np.nan), "NaN"),
        (np.full((4, 4, 3), 2.0), "[2, 2]"),
        (np.zeros((4, 4, 2), np.uint8), "(4, 4, 2)"),
        (np.zeros((0, 4, 3), np.uint8), "(0, 4, 3)"),
        (np.zeros((4, 4, 3), np.int64), "int64"),
        (np.zeros((3, 40, 50), np.uint8), "its channels come first: put them last, by .transpose(1, 2, 0)"),
        (torch.zeros(1, 40, 50), "its channels come first"),
        (torch.zeros(1, 3, 40, 50), "(1, 3, 40, 50)"),
        (torch.zeros(4, 4, 3, dtype=torch.complex64), "complex64"),
    ],
)
def test_what_is_no_frame_is_refused_by_name(image, words):
    with pytest.raises(InputError, match="picture 7") as caught:
        as_frame(image, "picture 7")
    assert words in str(caught.value)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16, torch.uint8])
def test_tensors_are_taken_with_or_without_gradients(kind):
    image = torch.arange(60, dtype=torch.float32).reshape(4, 5, 3)
    given = image.to(kind) if kind == torch.uint8 else (image / 255).to(kind).requires_grad_()
    error = np.abs(as_frame(given).astype(int) - image.int().numpy())
    assert error.max() <= (kind == torch.bfloat16) and given.requires_grad == (kind != torch.uint8)
    flow = torch.ones(4, 5, 2, requires_grad=True)
    np.testing.assert_array_equal(as_flow(flow)[0], flow.detach().numpy())  # type: ignore[arg-type]


def test_what_is_no_array_is_refused():
    for values in ([[1, 2], [3]], torch.zeros(3, device="meta")):
        with pytest.raises(InputError, match="picture 7 is no array"):
            as_array(values, "picture 7")


def test_a_mask_may_be_lists():
    flow = np.ones((2, 3, 2), np.float32)
    _, known = as_flow(flow, [[True, False, True]] * 2)
    np.testing.assert_array_equal(known, [[True, False, True]] * 2)
    with pytest.raises(InputError, match="the mask of flow has"):
        as_flow(flow, [[True] * 3] * 3)


def test_flow_goes_inside_and_back():
    flow = np.random.default_rng(0).standard_normal((5, 7, 2)).astype(np.float32)[:, ::-1]
    inside = flow_tensor(flow)
    assert inside.shape == (1, 2, 5, 7)
    assert inside[0, 1, 2, 3] == flow[2, 3, 1]
    np.testing.assert_array_equal(flow_array(inside), flow)
