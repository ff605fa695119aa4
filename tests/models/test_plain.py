"""RAFT's fast form against the plain one: flow, gradients, and what is left of the parity with the references."""

import pytest
import torch

from opticflow.models import build
from opticflow.models.plain import plain_twin


@pytest.mark.parametrize("name", ["RAFT", "RAFT-small"])
def test_the_fast_form_computes_what_the_plain_one_does(name):
    torch.manual_seed(0)
    network = build(name, iterations=4).eval()
    twin = plain_twin(network)
    first = torch.rand(2, 3, 64, 104)
    second = first.roll((2, -3), (2, 3))
    with torch.no_grad():
        torch.testing.assert_close(network(first, second), twin(first, second), rtol=0, atol=1e-4)
    losses = [sum(flow.abs().mean() for flow in form.predictions(first, second)) for form in (network, twin)]
    gradients = [
        torch.autograd.grad(loss, list(form.parameters())) for loss, form in zip(losses, (network, twin), strict=True)
    ]
    names = dict(network.named_parameters())
    for key, gradient, wanted in zip(names, *gradients, strict=True):
        scale = max(1e-6, float(wanted.abs().max()))
        torch.testing.assert_close(
            gradient / scale, wanted / scale, rtol=0, atol=2e-3, msg=lambda m, key=key: f"{key}: {m}"
        )


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
