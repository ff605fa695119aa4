"""Networks in their fast form against the same in plain PyTorch: flow, gradients, and formats."""

import copy
import pickle
import threading

import pytest
import torch
import torch.nn.functional as F

from opticflow.kernels.dispatch import reference_is_asked, reference_kernels
from opticflow.models import accelerate, build
from opticflow.models.layers import Convolution


@pytest.mark.parametrize(
    ("name", "iterations", "width"), [("RAFT", 4, 104), ("RAFT-small", 4, 104), ("RAFT-pyramid", 2, 128)]
)
def test_the_fast_form_computes_what_the_plain_one_does(name, iterations, width):
    torch.manual_seed(0)
    twin = build(name, iterations=iterations).eval()  # the equations as they are written
    network = accelerate(copy.deepcopy(twin))
    assert list(network.state_dict()) == list(twin.state_dict())
    first = torch.rand(2, 3, 64, width)
    second = first.roll((2, -3), (2, 3))
    with torch.no_grad():
        flow = network(first, second)
        with reference_kernels():
            wanted, also = twin(first, second), network(first, second)
    torch.testing.assert_close(also, wanted, rtol=0, atol=0)
    # untrained, RAFT's flow is below 10 px; a pyramid's begins at 1/32, where a pixel is 32
    torch.testing.assert_close(flow, wanted, rtol=0, atol=1e-4 * max(1, float(wanted.abs().max()) / 4))
    losses = [sum(flow.abs().mean() for flow in network.predictions(first, second))]
    with reference_kernels():
        losses += [sum(flow.abs().mean() for flow in twin.predictions(first, second))]
    gradients = [
        torch.autograd.grad(loss, list(form.parameters())) for loss, form in zip(losses, (network, twin), strict=True)
    ]
    largest = max(float(wanted.abs().max()) for wanted in gradients[1])
    for gradient, wanted in zip(*gradients, strict=True):
        torch.testing.assert_close(gradient, wanted, rtol=5e-3, atol=1e-3 * largest)


@pytest.mark.parametrize("name", ["RAFT", "RAFT-small"])
def test_under_bf16_autocast_the_flow_stays_near(name):
    torch.manual_seed(0)
    network = accelerate(build(name, iterations=2).eval())
    first = torch.rand(1, 3, 64, 64)
    second = first.roll((1, 1), (2, 3))
    with torch.no_grad():
        wanted = network(first, second)
        with torch.autocast("cpu", torch.bfloat16):
            flow = network(first, second)
    assert flow.dtype == torch.float32
    assert (flow - wanted).abs().mean() < 0.05 * wanted.abs().max()


def test_a_weight_that_changes_is_noticed():
    """Its transformed form is kept between calls without gradients."""
    layer, x = Convolution(64, 64, 3, padding=1, relu=True), torch.rand(1, 64, 20, 24)
    other = torch.nn.Conv2d(64, 64, 3, padding=1)

    def check():
        with torch.no_grad():
            wanted = F.relu(F.conv2d(x, layer.weight, layer.bias, padding=1))
            torch.testing.assert_close(layer(x), wanted, atol=1e-4, rtol=1e-3)

    check()
    optimiser = torch.optim.SGD(layer.parameters(), lr=10)
    layer(x).sum().backward()
    optimiser.step()
    check()
    layer.load_state_dict(other.state_dict())
    check()
    layer.weight = torch.nn.Parameter(torch.rand_like(layer.weight) - 0.5)
    check()
    with torch.inference_mode():
        layer(x)
    layer(x.requires_grad_()).sum().backward()  # what inference has kept is no part of a graph
    check()
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        with torch.no_grad():
            torch.testing.assert_close(twin(x), layer(x), rtol=0, atol=0)
    layer.double()
    with torch.no_grad():
        wanted = F.relu(F.conv2d(x.double(), layer.weight, layer.bias, padding=1))
        torch.testing.assert_close(layer(x.double()), wanted)


def test_the_plain_form_is_asked_for_in_one_thread():
    seen = []
    with reference_kernels():
        with reference_kernels():
            assert reference_is_asked()
        other = threading.Thread(target=lambda: seen.append(reference_is_asked()))
        other.start()
        other.join()
        assert reference_is_asked() and seen == [False]
    assert not reference_is_asked()


def test_networks_without_fast_blocks_stay_as_they_are():
    network = build("FlowNet2-s")
    before = list(network.modules())
    assert accelerate(network) is network and list(network.modules()) == before
