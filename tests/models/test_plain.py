"""RAFT's fast form against the plain one: flow, gradients, and what is left of the parity with the references."""

import pytest
import torch

from opticflow.models import build
from opticflow.models.plain import plain_twin


@pytest.mark.parametrize(
    ("name", "iterations", "width"), [("RAFT", 4, 104), ("RAFT-small", 4, 104), ("RAFT-pyramid", 2, 128)]
)
def test_the_fast_form_computes_what_the_plain_one_does(name, iterations, width):
    torch.manual_seed(0)
    network = build(name, iterations=iterations).eval()
    twin = plain_twin(network)
    first = torch.rand(2, 3, 64, width)
    second = first.roll((2, -3), (2, 3))
    with torch.no_grad():
        flow, wanted = network(first, second), twin(first, second)
    # untrained, RAFT's flow is below 10 px; a pyramid's begins at 1/32, where a pixel is 32
    torch.testing.assert_close(flow, wanted, rtol=0, atol=1e-4 * max(1, float(wanted.abs().max()) / 4))
    losses = [sum(flow.abs().mean() for flow in form.predictions(first, second)) for form in (network, twin)]
    gradients = [
        torch.autograd.grad(loss, list(form.parameters())) for loss, form in zip(losses, (network, twin), strict=True)
    ]
    largest = max(float(wanted.abs().max()) for wanted in gradients[1])
    for gradient, wanted in zip(*gradients, strict=True):
        torch.testing.assert_close(gradient, wanted, rtol=5e-3, atol=1e-3 * largest)


@pytest.mark.parametrize("name", ["RAFT", "RAFT-small"])
def test_under_bf16_autocast_the_flow_stays_near(name):
    torch.manual_seed(0)
    network = build(name, iterations=2).eval()
    first = torch.rand(1, 3, 64, 64)
    second = first.roll((1, 1), (2, 3))
    with torch.no_grad():
        wanted = network(first, second)
        with torch.autocast("cpu", torch.bfloat16):
            flow = network(first, second)
    assert flow.dtype == torch.float32
    assert (flow - wanted).abs().mean() < 0.05 * wanted.abs().max()
