"""What the options of the FlowNets mean."""

import pytest
import torch

from opticflow.errors import InputError
from opticflow.models import build
from opticflow.models.flownet import CAFFE_MEAN
from opticflow.models.flownet2 import length


def frames() -> tuple[torch.Tensor, torch.Tensor]:
    first = 0.5 * torch.rand(1, 3, 64, 128, generator=torch.Generator().manual_seed(0))
    return first, first.roll(3, 3)


def flow(name: str, *pair: torch.Tensor, **options) -> torch.Tensor:
    torch.manual_seed(0)
    with torch.no_grad():
        return build(name, **options).eval()(*pair)


def test_the_mean_of_the_pair_makes_brightness_irrelevant():
    first, second = frames()
    dark, bright = (flow("FlowNet2-s", first + light, second + light) for light in (0, 0.4))
    torch.testing.assert_close(dark, bright, rtol=1e-4, atol=1e-4)
    dark, bright = (flow("FlowNet2-s", first + light, second + light, mean=CAFFE_MEAN) for light in (0, 0.4))
    assert (dark - bright).abs().max() > 1e-2


def test_a_fixed_mean_is_subtracted():
    first, second = frames()
    black = torch.zeros(1, 3, 1, 1)
    wanted = flow("FlowNet2-c", first, second, mean=(0.0, 0.0, 0.0))
    colour = torch.tensor(CAFFE_MEAN).view_as(black)
    found = flow("FlowNet2-c", first + colour, second + colour, mean=CAFFE_MEAN)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_the_border_of_warped_frames_is_an_option():
    default, nvidia, caffe = (
        flow("FlowNet2-cs", *frames(), **options)
        for options in ({}, {"warp_border": "nvidia"}, {"warp_border": "caffe"})
    )
    assert torch.equal(default, nvidia)
    assert not torch.equal(nvidia, caffe)
    with pytest.raises(InputError, match="nvidia, caffe"):
        build("FlowNet2-cs", warp_border="none")


def test_the_unit_of_small_displacements_is_an_option():
    torch.testing.assert_close(flow("FlowNet2-SD", *frames(), flow_scale=20.0), 400 * flow("FlowNet2-SD", *frames()))


def test_lower_case_letters_have_three_eighths_of_the_channels():
    with torch.device("meta"):
        thin, full = build("FlowNet2-css").state_dict(), build("FlowNet2-CSS").state_dict()
    assert thin.keys() == full.keys()
    for name, tensor in thin.items():
        if name.endswith("bias") and not name.startswith(("predict", "upsample")) and tensor.numel() > 2:
            assert tensor.numel() * 8 == full[name].numel() * 3, name


def test_the_gradient_of_a_length_is_finite_where_it_is_zero():
    vectors = torch.tensor([[0.0, 3.0], [0.0, 4.0]]).view(1, 2, 1, 2).requires_grad_()
    lengths = length(vectors)
    lengths.sum().backward()
    assert lengths.flatten().tolist() == [0, 5]
    torch.testing.assert_close(vectors.grad.flatten(), torch.tensor([0, 0.6, 0, 0.8]))
