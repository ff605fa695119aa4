"""Convolutions by every way that is chosen, against PyTorch's own."""

import threading

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from opticflow.kernels import winograd_numba
from opticflow.kernels.winograd import winograd_convolution, winograd_line_convolution
from opticflow.kernels.winograd_points import winograd_kernel
from opticflow.ops import convolution
from opticflow.ops.convolution import convolve, transform_weight

SIDES = st.integers(1, 13)
CHANNELS = st.integers(1, 70)


def case(batch, inputs, outputs, height, width, kind=torch.float32, kernel=3):
    torch.manual_seed(0)
    x = torch.randn(batch, inputs, height, width, dtype=kind)
    weight = torch.randn(outputs, inputs, kernel, kernel, dtype=kind) / kernel / inputs**0.5
    return x, weight, torch.randn(outputs, dtype=kind)


def line(batch, inputs, outputs, height, width, down, kind=torch.float32):
    x, weight, bias = case(batch, inputs, outputs, height, width, kind, kernel=5)
    return x, weight[..., :1] if down else weight[:, :, :1], bias


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 3), CHANNELS, CHANNELS, SIDES, SIDES, st.booleans())
def test_winograd_is_the_convolution_at_any_size(batch, inputs, outputs, height, width, last):
    x, weight, bias = case(batch, inputs, outputs, height, width)
    if last:
        x = x.contiguous(memory_format=torch.channels_last)
    wanted = F.conv2d(x.double(), weight.double(), bias.double(), padding=1)
    answer = winograd_convolution(x, winograd_kernel(weight), bias)
    torch.testing.assert_close(answer.double(), wanted, rtol=0, atol=1e-5 * max(1.0, float(wanted.abs().max())))


@pytest.mark.parametrize("size", [(1, 3, 5, 7, 4), (2, 5, 2, 8, 9), (1, 2, 3, 1, 3)])
def test_gradients_of_winograd(size):
    x, weight, bias = case(*size, kind=torch.float64)
    tensors = [tensor.requires_grad_() for tensor in (x, weight, bias)]
    assert torch.autograd.gradcheck(lambda x, w, b: winograd_convolution(x, winograd_kernel(w), b), tensors)


def test_winograd_in_chunks_and_in_threads(monkeypatch, set_threads):
    x, weight, bias = case(2, 50, 60, 22, 17)
    wanted = F.conv2d(x, weight, bias, padding=1)
    monkeypatch.setattr(winograd_numba, "CHUNK", 7 * 36)
    set_threads(3)
    torch.testing.assert_close(winograd_convolution(x, winograd_kernel(weight), bias), wanted, rtol=0, atol=5e-5)
    wanted_of = x.requires_grad_(), weight.requires_grad_()
    answers = [winograd_convolution(x, winograd_kernel(weight), bias), F.conv2d(x, weight, bias, padding=1)]
    one, other = (torch.autograd.grad(answer.square().sum(), wanted_of) for answer in answers)
    torch.testing.assert_close(one[0], other[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(one[1], other[1], rtol=1e-4, atol=1e-5 * float(other[1].abs().max()))


def test_memory_that_inference_has_left_serves_training(monkeypatch):
    monkeypatch.setattr(winograd_numba, "_of_thread", threading.local())
    with torch.inference_mode():
        x, weight, _ = case(1, 150, 160, 30, 40)
        winograd_convolution(x, winograd_kernel(weight))
    x, weight, _ = case(1, 8, 9, 6, 5)
    weight.requires_grad_()
    answer = winograd_convolution(x, winograd_kernel(weight))
    torch.testing.assert_close(answer, F.conv2d(x, weight, padding=1), rtol=0, atol=5e-5)
    assert torch.autograd.grad(answer.sum(), weight)[0].shape == weight.shape


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 3), CHANNELS, CHANNELS, st.integers(1, 19), st.integers(1, 19), st.booleans())
def test_winograd_along_a_line_is_the_convolution_at_any_size(batch, inputs, outputs, height, width, down):
    x, weight, bias = line(batch, inputs, outputs, height, width, down)
    wanted = F.conv2d(x.double(), weight.double(), bias.double(), padding=(2, 0) if down else (0, 2))
    answer = winograd_line_convolution(x, winograd_kernel(weight), bias, down=down)
    torch.testing.assert_close(answer.double(), wanted, rtol=0, atol=1e-5 * max(1.0, float(wanted.abs().max())))


@pytest.mark.parametrize("down", [False, True])
def test_lines_in_chunks_and_in_threads(monkeypatch, set_threads, down):
    monkeypatch.setattr(winograd_numba, "CHUNK", 7 * 8)
    set_threads(3)
    x, weight, _ = line(2, 10, 90, 22, 17, down, kind=torch.float64)
    answer = winograd_line_convolution(x, winograd_kernel(weight), down=down)
    torch.testing.assert_close(answer, F.conv2d(x, weight, padding=(2, 0) if down else (0, 2)), rtol=0, atol=1e-6)


@pytest.mark.parametrize("down", [False, True])
def test_lines_are_for_where_no_gradient_flows(down):
    x, weight, bias = line(2, 84, 90, 16, 20, down)
    weight.requires_grad_()
    padding = (2, 0) if down else (0, 2)
    wanted = F.conv2d(x, weight, bias, padding=padding)
    with torch.no_grad():
        kernel = transform_weight(weight, x)
        assert len(kernel) == 8
        for weights in (weight, kernel):
            torch.testing.assert_close(convolve(x, weights, bias, padding=padding), wanted, rtol=0, atol=5e-5)
    assert transform_weight(weight, x) is weight
    found = convolve(x, weight, bias, padding=padding)
    torch.testing.assert_close(*(torch.autograd.grad(y.square().sum(), weight)[0] for y in (found, wanted)))


@pytest.mark.parametrize("kernel, stride, padding", [(1, 1, 0), (1, 2, 0), (3, 1, 1), (3, 2, 1), (3, 1, 0), (7, 2, 3)])
@pytest.mark.parametrize("channels", [(4, 6), (84, 90)])
def test_every_convolution_is_pytorchs(channels, kernel, stride, padding):
    x, weight, bias = case(2, *channels, 16, 20, kernel=kernel)
    tensors = [tensor.requires_grad_() for tensor in (x, weight, bias)]
    forms = [form(*tensors, (stride, stride), (padding, padding)) for form in (convolve, F.conv2d)]
    torch.testing.assert_close(*forms, rtol=0, atol=5e-5)
    ours, theirs = (torch.autograd.grad(form.square().sum(), tensors) for form in forms)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4 * float(other.abs().max()))


@pytest.mark.parametrize("learns", [False, True])
@pytest.mark.parametrize("rectified", [False, True])
@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (1, 5), (5, 1)])
@pytest.mark.parametrize("channels", [(4, 6), (84, 90)])
def test_what_comes_after_a_convolution(channels, kernel, rectified, learns, monkeypatch):
    monkeypatch.setattr(winograd_numba, "CHUNK", 7 * 36)
    x, weight, bias = case(2, *channels, 15, 18, kernel=5)
    weight = weight[:, :, : kernel[0], : kernel[1]]
    padding = kernel[0] // 2, kernel[1] // 2
    tensors = [tensor.requires_grad_(learns) for tensor in (x, weight, bias, torch.randn(2, channels[1], 15, 18))]
    answer = convolve(*tensors[:3], padding=padding, residual=tensors[3], relu=rectified)
    wanted = F.conv2d(x, weight, bias, padding=padding) + tensors[3]
    wanted = wanted.relu() if rectified else wanted
    torch.testing.assert_close(answer, wanted, rtol=0, atol=5e-5)
    assert not rectified or bool((answer == 0).any())
    if learns:
        one, other = (torch.autograd.grad(form.square().sum(), tensors) for form in (answer, wanted))
        for ours, theirs in zip(one, other, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4 * float(theirs.abs().max()))


def test_what_is_not_a_number_stays_so():
    x, weight, bias = case(1, 80, 80, 12, 12)
    x[0, 0, 4, 4] = torch.nan
    answer = convolve(x, weight, bias, padding=(1, 1), relu=True)
    assert answer[0, :, 3:6, 3:6].isnan().all()


def test_prepared_weights_serve_as_weights():
    x, weight, bias = case(1, 80, 80, 12, 12)
    kernel = transform_weight(weight, x)
    assert kernel.shape == (36, 80, 80)
    torch.testing.assert_close(convolve(x, kernel, bias), F.conv2d(x, weight, bias, padding=1), rtol=0, atol=5e-5)


@pytest.mark.parametrize("channels", [(4, 96), (96, 4)])
def test_few_channels_are_not_worth_the_transforms(channels):
    x, weight, _ = case(1, *channels, 8, 8)
    assert transform_weight(weight, x) is weight


def test_autocast_and_other_formats_are_left_to_pytorch(monkeypatch):
    monkeypatch.setattr(convolution, "winograd_convolution", None)
    x, weight, bias = case(1, 96, 96, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert convolve(x, weight, bias, padding=(1, 1)).dtype == torch.bfloat16
    halves = [tensor.bfloat16() for tensor in (x, weight, bias)]
    assert convolve(*halves, padding=(1, 1)).dtype == torch.bfloat16
