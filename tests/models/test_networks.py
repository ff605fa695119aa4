"""What holds for every learned network: sizes, batches, gradients, saving."""

import functools

import numpy as np
import pytest
import torch

import opticflow
from opticflow.errors import InputError
from opticflow.estimator import Estimator
from opticflow.models import MODELS, LearnedNetwork, VariationalRefinement, accelerate, build
from opticflow.models.cost import measure_cost
from pictures import moving

LEARNED = [name for name in MODELS if name.startswith(("FlowNet", "RAFT"))]
THIN = ["FlowNet2-s", "FlowNet2-c", "FlowNet2-ss", "FlowNet2-css", "RAFT", "RAFT-small", "RAFT-pyramid"]
"""Enough to see every part, small enough to be run often."""
FULL = ["FlowNetS", "FlowNetC", "FlowNet2-CS", "FlowNet2-SD", "FlowNet2"]
PUBLISHED = {
    "RAFT": 5_257_536,
    "RAFT-small": 990_162,
    "FlowNet2-S": 38_676_506,
    "FlowNet2-C": 39_175_298,
    "FlowNet2-SD": 45_371_666,
    "FlowNet2-CS": 77_870_620,
    "FlowNet2-CSS": 116_565_942,
    "FlowNet2-CSS-ft-sd": 116_565_942,
    "FlowNet2": 162_518_834,
}
SIZES = [(1, 1), (7, 5), (64, 64), (127, 129), (133, 205), (375, 1242)]


@functools.cache
def network(name: str) -> LearnedNetwork:
    torch.manual_seed(0)
    made = build(name, **({"iterations": 3} if "RAFT" in name else {})).eval()
    assert isinstance(made, LearnedNetwork)
    return made


def frames(batch: int, height: int, width: int) -> torch.Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(height + width))


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_as_many_as_published(name):
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in build(name).parameters()) == PUBLISHED[name]


def test_every_name_of_the_papers_is_there():
    assert len(LEARNED) == 18
    with torch.device("meta"):
        assert all(isinstance(build(name), LearnedNetwork) for name in LEARNED)


def check_sizes(name: str, sizes: list[tuple[int, int]], batches: tuple[int, ...] = (1, 3)) -> None:
    estimator = Estimator(network(name), device="cpu", precision="fp32")
    for height, width in sizes:
        clip = moving(height, width, 4)
        for batch in batches:
            flows = estimator.batch(clip[:batch], clip[1 : batch + 1])
            assert [flow.shape for flow in flows] == [(height, width, 2)] * batch
            assert all(np.isfinite(flow).all() for flow in flows)


@pytest.mark.parametrize("name", THIN)
def test_any_size_gives_finite_flow(name):
    check_sizes(name, SIZES[:-1])


@pytest.mark.slow
@pytest.mark.parametrize("name", FULL)
def test_any_size_gives_finite_flow_with_full_width(name):
    check_sizes(name, SIZES[:-1])


@pytest.mark.slow
@pytest.mark.parametrize("name", [*THIN, *FULL])
def test_a_large_frame_gives_finite_flow(name):
    check_sizes(name, SIZES[-1:])


@pytest.mark.parametrize("name", ["FlowNet2-SD", "FlowNet2"])
def test_fine_networks_take_small_frames(name):
    check_sizes(name, SIZES[:2], batches=(1,))


@pytest.mark.parametrize("name", [*THIN, pytest.param("FlowNet2", marks=pytest.mark.slow)])
@pytest.mark.parametrize("identical", [False, True])
def test_gradients_are_finite(name, identical):
    learner = network(name).train()
    first = frames(2, 64, 128)
    second = first if identical else first.flip(3)
    try:
        loss = torch.stack([flow.square().mean() for flow in learner.predictions(first, second)]).sum()
        gradients = torch.autograd.grad(loss, list(learner.parameters()), allow_unused=True)
    finally:
        learner.eval()
    reached = [gradient for gradient in gradients if gradient is not None]
    assert all(gradient.isfinite().all() for gradient in reached)
    assert any(gradient.abs().max() > 0 for gradient in reached)
    # all of a network alone is reached; what comes before the last of a stack as well, through its flow
    assert len(reached) == len(gradients)


@pytest.mark.parametrize("name", ["FlowNet2-s", "FlowNet2-cs"])
def test_flownets_predict_a_flow_for_each_scale_in_pixels_of_the_frames(name):
    first, second = frames(1, 64, 128), frames(1, 128, 64).transpose(2, 3)
    with torch.no_grad():
        flows, flow = network(name).predictions(first, second), network(name)(first, second)
    assert [tuple(f.shape[-2:]) for f in flows] == [(1, 2), (2, 4), (4, 8), (8, 16), (16, 32)]
    enlarged = torch.nn.functional.interpolate(flows[-1], scale_factor=4, mode="bilinear")
    torch.testing.assert_close(flow, enlarged)


@pytest.mark.parametrize("name", ["RAFT", "FlowNet2-cs"])
def test_state_dicts_go_around(name, tmp_path):
    first, second = frames(1, 64, 64), frames(1, 64, 64).flip(2)
    torch.save(network(name).state_dict(), tmp_path / "state.pth")
    torch.manual_seed(1)
    other = accelerate(build(name, **({"iterations": 3} if "RAFT" in name else {})).eval())
    accelerate(network(name))  # as an Estimator in another test may have done
    assert not torch.equal(other(first, second), network(name)(first, second))
    other.load_state_dict(torch.load(tmp_path / "state.pth", weights_only=True))
    torch.testing.assert_close(other(first, second), network(name)(first, second), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["RAFT-small", "FlowNet2-c"])
def test_frames_encoded_alone_or_together_are_the_same(name):
    batch = frames(3, 64, 64)
    with torch.no_grad():
        together = network(name).encode(batch)
        for i in range(3):
            for key, value in network(name).encode(batch[i : i + 1]).items():
                torch.testing.assert_close(together[key][i : i + 1], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["FlowNet2-cs", "RAFT-small"])
def test_half_of_the_bits_give_nearly_the_same_flow(name):
    clip = moving(64, 64, 2)
    flow, rough = (Estimator(network(name), device="cpu", precision=p)(*clip) for p in ("fp32", "bf16"))
    assert rough.dtype == np.float32
    assert 0 < np.abs(rough - flow).max() < 0.1 * np.abs(flow).max()


@pytest.mark.parametrize("name", ["RAFT-small", "FlowNet2-css"])
def test_a_pair_does_not_depend_on_its_batch(name):
    clip = moving(70, 90, 4)
    estimator = Estimator(network(name), device="cpu", precision="fp32")
    together = estimator.batch(clip[:3], clip[1:])
    for i in range(3):
        alone = estimator(clip[i], clip[i + 1])
        assert np.abs(together[i] - alone).max() < 1e-4 * max(1, np.abs(alone).max())


@pytest.mark.parametrize("name", ["RAFT-small", "FlowNet2-s"])
def test_a_frame_that_fits_is_given_as_it_is(name):
    """The Estimator adds nothing of its own: what it answers for a crop is what the network answers for the crop."""
    clip = moving(128, 192, 2)
    estimator = Estimator(network(name), device="cpu", precision="fp32")
    for top, left in [(0, 0), (0, 64), (64, 64)]:
        crop = [frame[top : top + 64, left : left + 128] for frame in clip]
        tensors = [torch.from_numpy(frame.copy()).permute(2, 0, 1)[None] / 255 for frame in crop]
        with torch.no_grad():
            wanted = network(name)(*tensors)[0].permute(1, 2, 0).numpy()
        np.testing.assert_allclose(estimator(*crop), wanted, atol=5e-5)


@pytest.mark.parametrize("padding", ["center", "bottom"])
@pytest.mark.parametrize("offset", [(0, 0), (3, 5), (8, 16)])
def test_padding_is_what_the_network_itself_would_see(padding, offset):
    """A crop that must be padded, against the same crop padded beforehand by replication."""
    top, left = offset
    crop = [frame[top : top + 61, left : left + 83] for frame in moving(80, 110, 2)]
    estimator = Estimator(network("RAFT-small"), device="cpu", precision="fp32", padding=padding)
    above = 1 if padding == "center" else 0
    padded = [np.pad(frame, ((above, 3 - above), (2, 3), (0, 0)), mode="edge") for frame in crop]
    wanted = estimator(*padded)[above : above + 61, 2 : 2 + 83]
    np.testing.assert_allclose(estimator(*crop), wanted, atol=1e-4)


def test_multiply_adds_of_one_convolution_have_a_closed_form():
    class Single(LearnedNetwork):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Conv2d(6, 2, 5, padding=2)

        def match(self, first, second, *, init_flow=None, iterations=None):
            return self.layer(torch.cat([first["frames"], second["frames"]], 1))

        def predictions(self, first, second, *, init_flow=None):
            return [self(first, second)]

    cost = measure_cost(Single, 30, 40)
    assert cost.parameters == 6 * 2 * 25 + 2
    assert cost.multiply_adds == 30 * 40 * 2 * 6 * 25
    pixels = 30 * 40 * 4
    assert cost.memory == cost.parameters * 4 + 2 * 3 * pixels + 6 * pixels + 2 * pixels


@pytest.mark.parametrize("name", MODELS)
def test_sizes_that_a_network_cannot_take_are_refused(name):
    with torch.device("meta" if name in LEARNED else "cpu"):
        made = build(name)
        least = -(-made.min_size // made.stride) * made.stride
        sizes = [(least, least + 1), (least + 1, least), (least - made.stride, least)] if least > 1 else []
        calls = [made, made.encode, *([made.predictions] if isinstance(made, LearnedNetwork) else [])]
        for height, width in sizes if made.stride > 1 else sizes[2:]:
            for call in calls:
                one = torch.rand(1, 3, height, width)
                with pytest.raises(InputError, match=f"frames are {width}x{height}; this network takes .* {least} at"):
                    call(one) if call == made.encode else call(one, one)
        with pytest.raises(InputError, match="they must be of one size"):
            made.must_take(torch.rand(1, 3, least + made.stride, least), torch.rand(1, 3, least, least))


def test_another_layout_is_refused():
    for frames in (torch.rand(3, 64, 64), torch.rand(1, 64, 64, 3), torch.zeros(1, 3, 64, 64, dtype=torch.uint8)):
        with pytest.raises(InputError, match="a network takes batch x 3 x height x width"):
            network("RAFT-small").must_take(frames)


def test_the_default_network_is_one_to_call_and_to_learn_from(monkeypatch):
    """Its weights require gradients, and OpenCV's refinement follows it."""
    whole = opticflow.load(device="cpu", precision="fp32").network
    first, second = frames(1, 64, 64), frames(1, 64, 64).flip(3)
    flow = whole(first, second)
    assert flow.shape == (1, 2, 64, 64) and not flow.requires_grad
    with torch.no_grad():
        # the forms without gradients round otherwise, and OpenCV 4 refines with larger differences
        assert float((whole(first, second) - flow).abs().mean()) < 0.01
    estimates = whole.predictions(first.requires_grad_(), second)
    assert len(estimates) == 1 + 3 * whole.innermost.iterations and estimates[-1].requires_grad
    with pytest.raises(InputError, match="DIS is not learned"):
        VariationalRefinement(build("DIS")).predictions(first, second)
    monkeypatch.setattr("torch.compiler.is_compiling", lambda: True)  # as torch.export has it
    with pytest.raises(InputError, match="cannot be exported or compiled"):
        whole(first, second)
