"""Instance normalisation against PyTorch's."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from opticflow.ops.instance_norm import instance_norm


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 3), st.integers(1, 20), st.integers(2, 9), st.integers(1, 9), st.booleans())
def test_it_is_pytorchs(batch, channels, height, width, last):
    torch.manual_seed(0)
    x = torch.randn(batch, channels, height, width)
    if last:
        x = x.contiguous(memory_format=torch.channels_last)
    x.requires_grad_()
    torch.testing.assert_close(instance_norm(x), F.instance_norm(x), rtol=0, atol=1e-5)


def test_a_large_mean_costs_no_digits():
    x = 1000 + torch.randn(1, 8, 60, 80, dtype=torch.float64)
    single = x.float().requires_grad_()
    torch.testing.assert_close(instance_norm(single), F.instance_norm(single.double()).float(), rtol=0, atol=1e-4)


def test_gradients(set_threads):
    torch.manual_seed(0)
    x = torch.randn(2, 5, 4, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(instance_norm, (x,))
    set_threads(3)
    ours, theirs = (torch.autograd.grad(norm(x).pow(3).sum(), x)[0] for norm in (instance_norm, F.instance_norm))
    torch.testing.assert_close(ours, theirs)


def test_a_constant_channel_is_zero():
    assert instance_norm(torch.full((1, 2, 5, 5), 7.0, requires_grad=True)).abs().max() == 0


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_other_formats(kind):
    x = torch.randn(1, 4, 8, 8).to(kind).requires_grad_()
    assert instance_norm(x).dtype == kind


def test_half_precision_under_autocast_is_the_rounded_single_one():
    x = (100 + torch.randn(2, 8, 12, 16)).bfloat16().requires_grad_()
    weights = torch.randn(2, 8, 12, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = instance_norm(x)
    wanted = F.instance_norm(x.detach().double())
    torch.testing.assert_close(found.detach().double(), wanted, rtol=2**-8, atol=2**-8)
    (gradient,) = torch.autograd.grad((found.float() * weights).sum(), x)
    other = x.detach().double().requires_grad_()
    (exact,) = torch.autograd.grad((F.instance_norm(other) * weights).sum(), other)
    torch.testing.assert_close(gradient.double(), exact, rtol=2**-7, atol=2**-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu_half_precision_stays_so_and_its_sums_are_single():
    x = (100 + torch.randn(2, 8, 92, 124)).bfloat16()
    with torch.autocast("cuda", dtype=torch.bfloat16):
        found = instance_norm(x.cuda())
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.cpu().float(), F.instance_norm(x.double()).float(), rtol=2**-8, atol=1e-3)
