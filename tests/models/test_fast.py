"""Networks in their fast form against the same in plain PyTorch: flow, gradients, and formats."""

import copy
import pickle
import threading

import pytest
import torch

from opticflow.kernels.dispatch import reference_is_asked, reference_kernels
from opticflow.models import accelerate, build


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


@pytest.mark.parametrize("name", ["RAFT-small", "RAFT-pyramid"])
def test_weights_that_change_are_noticed(name):
    """By an optimiser whose kernels do not count versions, by other weights, through `data`."""
    torch.manual_seed(0)
    network, plain = accelerate(build(name, iterations=2)), build(name, iterations=2)
    first, second = torch.rand(2, 1, 3, 64, 64).unbind()

    def check():
        plain.load_state_dict(network.state_dict())
        with torch.no_grad():
            torch.testing.assert_close(network(first, second), plain(first, second), rtol=1e-3, atol=1e-2)

    check()
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.01, fused=True)
    sum(flow.square().mean() for flow in network.predictions(first, second)).backward()
    optimiser.step()
    check()
    for parameter in network.parameters():
        parameter.data.mul_(1.1)
    check()
    network.load_state_dict(build(name).state_dict())
    check()


def test_a_fast_network_is_copied_and_pickled():
    network = accelerate(build("RAFT-small", iterations=2)).eval()
    first, second = torch.rand(2, 1, 3, 64, 64).unbind()
    with torch.no_grad():
        for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
            torch.testing.assert_close(twin(first, second), network(first, second), rtol=0, atol=0)


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
