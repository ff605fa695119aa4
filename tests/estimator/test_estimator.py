"""The Estimator with classical methods; the networks have their own tests."""

from itertools import pairwise

import numpy as np
import pytest
import torch

import opticflow
from opticflow.errors import InputError
from opticflow.estimator import Estimator
from opticflow.estimator.stream import is_cut
from opticflow.models import FlowNetwork, VariationalRefinement, build
from opticflow.weights import DEFAULT_MODEL, find_records
from pictures import moving, texture


def error(flow: np.ndarray, truth: tuple[float, float]) -> float:
    return float(np.linalg.norm(flow - np.array(truth), axis=-1).mean())


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    return moving(61, 83, 5, dx=3, dy=-2)


@pytest.fixture(scope="module")
def dis() -> Estimator:
    return opticflow.load("DIS")


def test_estimate_is_load_and_call(frames, dis):
    flow = opticflow.estimate(frames[0], frames[1], model="DIS")
    assert flow.dtype == np.float32 and flow.shape == (61, 83, 2)
    np.testing.assert_array_equal(flow, dis(frames[0], frames[1]))
    assert error(flow, (3, -2)) < 0.3


@pytest.mark.parametrize("convert", [lambda f: f[..., 0], lambda f: f / 255.0, lambda f: f.astype(np.uint16) * 257])
def test_frames_may_be_grey_floats_or_sixteen_bit(frames, dis, convert):
    assert error(dis(convert(frames[0]), convert(frames[1])), (3, -2)) < 0.5


@pytest.mark.parametrize("name", ["Lucas-Kanade", "DIS"])
def test_a_pair_does_not_depend_on_its_batch(frames, name):
    estimator = opticflow.load(name)
    together = estimator.batch(frames[:4], frames[1:])
    for flow, first, second in zip(together, frames, frames[1:], strict=False):
        np.testing.assert_allclose(flow, estimator(first, second), atol=1e-4)


@pytest.mark.parametrize("batch", [1, 2, 3, 10])
def test_a_stream_gives_the_flow_of_each_pair(frames, dis, batch):
    flows = list(dis.stream(iter(frames), batch=batch))
    assert len(flows) == 4
    for flow, first, second in zip(flows, frames, frames[1:], strict=False):
        np.testing.assert_array_equal(flow, dis(first, second))


def test_a_stream_encodes_each_frame_once(frames):
    network = build("DIS")
    encoded, encode = [], network.encode
    network.encode = lambda batch: encoded.append(len(batch)) or encode(batch)  # type: ignore[method-assign]
    kept = list(Estimator(network).stream(frames))
    assert sum(encoded) == len(frames)
    encoded.clear()
    anew = list(Estimator(network).stream(frames, reuse=False))
    assert sum(encoded) == 2 * (len(frames) - 1)
    np.testing.assert_array_equal(anew, kept)


def test_both_directions_show_what_is_occluded(frames, dis):
    pair = next(dis.pairs(frames, backward=True))
    assert error(pair.backward, (-3, 2)) < 0.3
    assert pair.occluded[:2].all() and pair.occluded[:, -3:].all()  # moved out of view: up and to the right
    assert pair.occluded[10:-10, 10:-10].mean() < 0.05


def test_warm_start_begins_at_the_flow_before():
    frames = moving(96, 128, 4, dx=5, dy=0)
    network = build("Horn-Schunck")
    starts, match = [], network.match

    def watch(first, second, *, init_flow=None, iterations=None):
        starts.append(init_flow)
        return match(first, second, init_flow=init_flow)

    network.match = watch  # type: ignore[method-assign]
    list(Estimator(network).stream([*frames[:3], texture(96, 128, seed=9) // 4], warm_start=True))
    assert starts[0] is None and abs(float(starts[1][:, 0].median()) - 5) < 0.5
    assert starts[2] is None, "across a cut nothing is carried over"


def told_where_to_start():
    """A network, and a list that grows by the size of the frames and the usual start of each estimate."""
    network = build("Horn-Schunck")
    calls, match = [], network.match

    def watch(first, second, *, init_flow=None, iterations=None):
        calls.append((first["frames"].shape[-2:], 0 if init_flow is None else float(init_flow[:, 0].median())))
        return match(first, second, init_flow=init_flow)

    network.match = watch  # type: ignore[method-assign]
    return network, calls


def test_coarse_start_begins_at_the_flow_of_half_the_size():
    frames = moving(96, 128, 3, dx=6, dy=0)
    network, calls = told_where_to_start()
    estimator = Estimator(network, coarse_start=True)
    forward, backward = estimator(*frames[:2]), estimator(*frames[1::-1])
    assert [size for size, _ in calls] == 2 * [(48, 64), (96, 128)]
    assert [start for _, start in calls] == pytest.approx([0, 6, 0, -6], abs=0.5)
    for reuse in (True, False):
        pairs = list(estimator.pairs(frames, backward=True, reuse=reuse))
        np.testing.assert_allclose(pairs[0].forward, forward, atol=1e-4)
        np.testing.assert_allclose(pairs[0].backward, backward, atol=1e-4)
    calls.clear()
    estimator(*frames[:2], init_flow=np.full((96, 128, 2), 2, np.float32))
    assert calls == [((96, 128), 2.0)], "a start that is given is taken"
    list(estimator.pairs(frames, warm_start=True))
    assert len(calls) == 1 + 2 + 1, "the second pair starts from the first's flow"


class Counting(FlowNetwork):
    """Its flow is no motion, and it notes the batch and the height of what it encodes."""

    def __init__(self):
        super().__init__()
        self.encoded = []

    def encode(self, frames):
        self.encoded.append((len(frames), frames.shape[2]))
        return {"frames": frames}

    def match(self, first, second, *, init_flow=None, iterations=None):
        return 0 * first["frames"][:, :2]


def test_flow_of_a_wrong_size_is_refused():
    class Small(Counting):
        def match(self, first, second, *, init_flow=None, iterations=None):
            return first["frames"][:, :2, ::8, ::8]

    with pytest.raises(InputError, match=r"Small.match gave \[1, 2, 8, 8\] for frames of 64x64; .* `stride`"):
        Estimator(Small())(*moving(64, 64, 2))


@pytest.mark.parametrize("batch", [1, 2, 4])
@pytest.mark.parametrize("backward", [False, True])
def test_each_frame_of_a_stream_is_encoded_once_at_each_size(batch, backward):
    """With the networks around it that RAFT-small.worlds has; whole batches at each size."""
    network = Counting()
    estimator = Estimator(network, coarse_start=True, refine=True)
    assert len(list(estimator.pairs(moving(256, 256, 5), batch=batch, backward=backward))) == 4
    for height in (64, 128, 256):
        calls = [count for count, rows in network.encoded if rows == height]
        again = 4 // batch - 1 if batch > 1 else 0  # the frame at a border of batches, so that they do not depend on it
        assert sum(calls) == 5 + again, height
        assert len(calls) == 2 * (4 // batch) if batch > 1 else len(calls) == 5, height


def test_raft_small_encodes_each_frame_once_at_each_size():
    estimator = opticflow.load("RAFT-small", device="cpu")
    encoder, encoded = estimator.network.innermost.feature_encoder, []
    encoder.register_forward_hook(lambda _, inputs, __: encoded.extend(inputs[0].shape[0] * [inputs[0].shape[2]]))
    assert len(list(estimator.stream(moving(256, 256, 3)))) == 2
    assert sorted(encoded) == 3 * [64] + 3 * [128] + 3 * [256]


def test_an_estimator_says_what_it_is():
    text = repr(opticflow.load("RAFT-small", device="cpu", precision="fp32"))
    assert text == "Estimator(RAFT-small.worlds: 8 iterations, coarse to fine, variational refinement, fp32, cpu)"
    assert repr(Estimator(build("DIS"), device="cpu")) == "Estimator(DIS: fp32, cpu)"
    bare = opticflow.load("RAFT-small", refine=False, coarse_start=False, device="cpu", precision="fp32")
    assert repr(bare) == "Estimator(RAFT-small.worlds: 12 iterations, fp32, cpu)"


@pytest.mark.parametrize("call", [opticflow.load, lambda **how: Estimator(build("DIS"), **how)])
def test_an_option_that_is_misspelt_is_one_line(call):
    with pytest.raises(InputError, match=r"^there is no option 'iteration'; did you mean iterations"):
        call(iteration=3)
    with pytest.raises(InputError, match=r"^there is no precision 'fp3'; known are auto, fp32, bf16, fp16$"):
        call(precision="fp3")


def test_coarse_starts_are_not_refined(monkeypatch):
    frames = moving(96, 128, 2, dx=6, dy=0)
    refined, refine = [], VariationalRefinement._refine
    monkeypatch.setattr(
        VariationalRefinement, "_refine", lambda self, a, b, flow: refined.append(a.shape) or refine(self, a, b, flow)
    )
    network, calls = told_where_to_start()
    Estimator(network, coarse_start=True, refine=True)(*frames)
    assert [size for size, _ in calls] == [(48, 64), (96, 128)] and refined == [(96, 128)]


def test_coarse_start_begins_at_a_quarter_where_that_is_large_enough():
    frames = moving(256, 320, 2, dx=24, dy=0)
    network, calls = told_where_to_start()
    flow = Estimator(network, coarse_start=True)(*frames)
    assert [size for size, _ in calls] == [(64, 80), (128, 160), (256, 320)]
    assert [start for _, start in calls] == pytest.approx([0, 12, 24], abs=1.5)
    assert np.median(flow[..., 0]) == pytest.approx(24, abs=0.5)  # what comes in is unknown to the method


def test_the_default_comes_with_the_package_and_knows_how_it_is_best_used():
    frames = moving(192, 256, 2, dx=9, dy=-4)
    (record,) = find_records(DEFAULT_MODEL)
    estimator = opticflow.load()
    assert record.state == "shipped"
    assert {key: getattr(estimator.settings, key) for key in record.use} == record.use
    assert estimator.settings.refine and not estimator.settings.coarse_start
    flow = opticflow.estimate(*frames)
    assert error(flow[8:-8, 16:-16], (9, -4)) < 0.5
    assert opticflow.load(DEFAULT_MODEL, refine=True).settings == estimator.settings
    assert not opticflow.load(DEFAULT_MODEL, refine=False).settings.refine
    assert opticflow.load(DEFAULT_MODEL, iterations=3).settings.iterations == 3
    of_file = opticflow.load(record.path).settings
    assert not of_file.coarse_start and not of_file.refine, "a file is used as it is"


def test_what_goes_with_a_coarse_start_goes_with_it_alone():
    usual = opticflow.load("RAFT-small").settings
    assert usual.coarse_start and usual.refine and usual.iterations == 8
    assert opticflow.load("RAFT-small", coarse_start=True).settings == usual
    asked = opticflow.load("RAFT-small", coarse_start=False, refine=False).settings
    assert (asked.coarse_start, asked.refine, asked.iterations) == (False, False, 12)


@pytest.mark.parametrize("name", ["DIS", "Farneback"])
def test_opencv_methods_start_where_they_are_told(name):
    frames = moving(192, 256, 2, dx=60, dy=0)
    estimator = opticflow.load(name)
    start = np.full((192, 256, 2), (60, 0), np.float32)
    told, alone = estimator(*frames, init_flow=start), estimator(*frames)
    assert error(told, (60, 0)) < 0.5 * error(alone, (60, 0))


def test_scale_keeps_the_size_and_the_pixels(frames):
    flow = opticflow.load("DIS", scale=2.0)(frames[0], frames[1])
    assert flow.shape == (61, 83, 2) and error(flow, (3, -2)) < 0.4


def test_refinement_makes_a_method_better(frames):
    plain = opticflow.load("Farneback")(frames[0], frames[1])
    refined = opticflow.load("Farneback", refine=True)(frames[0], frames[1])
    assert error(refined, (3, -2)) < error(plain, (3, -2))


def test_each_pass_of_refinement_makes_a_rough_start_better(frames):
    rough = build("Farneback")
    random = np.random.default_rng(0)
    noise = random.normal(0, 0.4, (1, 2, 61, 83)) + np.array([3, -2])[:, None, None]
    rough.match = lambda *_, **__: torch.from_numpy(noise).float()  # type: ignore[method-assign]
    errors = [error(Estimator(VariationalRefinement(rough, n))(*frames[:2]), (3, -2)) for n in (1, 2, 5)]
    assert errors[0] > errors[1] > errors[2]


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (7, 5), (129, 127)])
@pytest.mark.parametrize("name", ["DIS", "Farneback", "Lucas-Kanade", "Horn-Schunck"])
def test_any_size(name, size):
    frame = texture(*size)
    flow = opticflow.load(name, refine=size == (7, 5))(frame, np.roll(frame, 1, 1))
    assert flow.shape == (*size, 2) and np.isfinite(flow).all()


def test_a_cut_is_seen_and_motion_and_exposure_are_not():
    frame = texture(90, 120, seed=1)
    assert is_cut(frame, 255 - texture(90, 120, seed=2) // 3)
    assert not is_cut(frame, np.roll(frame, 25, axis=1))
    assert not is_cut(frame, np.clip(frame * 1.2, 0, 255).astype(np.uint8))


def test_a_limit_of_main_memory_is_refused_on_a_gpu(monkeypatch, dis):
    """Before anything touches it, so that none need be there."""
    monkeypatch.setattr("opticflow.estimator.estimator.choose_device", torch.device)
    with pytest.raises(InputError, match=r"would be on cuda:0; leave it out, or take the device cpu"):
        Estimator(dis.network, device="cuda:0", precision="fp32", max_memory="1GB")


@pytest.mark.parametrize("name", ["DIS", "Farneback"])
def test_methods_of_opencv_have_one_precision(name):
    assert opticflow.load(name, device="cpu", precision="bf16").precision == "fp32"
    assert opticflow.load(name, device="cpu", refine=True).settings.precision == "fp32"
    assert Estimator(build("RAFT-small"), device="cpu", precision="bf16").precision == "bf16"


def test_bad_input_is_named(frames, dis):
    with pytest.raises(InputError, match="frame 1 is 40x61 and frame 0 is 83x61"):
        dis(frames[0], frames[1][:, :40])
    with pytest.raises(InputError, match="fewer than two frames"):
        list(dis.stream(frames[:1]))
    for start, words in [
        (np.zeros((4, 4, 2), np.float32), r"\(4, 4, 2\); wanted \(61, 83, 2\)"),
        (np.zeros((61, 83), np.float32), r"wanted \(61, 83, 2\)"),
        (np.full((61, 83, 2), np.nan, np.float32), "unknown"),
    ]:
        with pytest.raises(InputError, match=words):
            dis(frames[0], frames[1], init_flow=start)
    with pytest.raises(InputError, match="1 initial flows for 2 pairs"):
        dis.batch(frames[:2], frames[1:3], init_flows=[np.zeros((61, 83, 2), np.float32)])
    with pytest.raises(InputError, match="did you mean DIS"):
        opticflow.load("DISS")
    with pytest.raises(InputError, match="no iterations"):
        opticflow.load("DIS", iterations=3)
    for device in ("cuda:7", "meta", "toaster", "hpu", "mps", "privateuseone", ""):
        with pytest.raises(InputError, match=r"^the device .{0,300}cannot be used.{0,300}$"):
            opticflow.load("DIS", device=device)
    with pytest.raises(InputError, match="precision 'int8'"):
        opticflow.load("DIS", precision="int8")  # type: ignore[arg-type]


def test_tensors_that_require_gradients_are_frames():
    frame = torch.rand(40, 50, 3, requires_grad=True)
    estimator = opticflow.load("DIS", device="cpu")
    flow = estimator(frame, frame, init_flow=torch.zeros(40, 50, 2, requires_grad=True))
    assert flow.shape == (40, 50, 2)
    assert estimator(frame.permute(2, 0, 1), frame.permute(2, 0, 1)).shape == (2, 40, 50)


@pytest.mark.parametrize("device", ["vulkan", "hpu", "xla", "nonsense"])
def test_a_device_that_is_not_there_is_one_short_line(device):
    with pytest.raises(InputError, match=f"the device '{device}' cannot be used") as caught:
        opticflow.load("DIS", device=device)
    assert len(str(caught.value)) < 300 and "\n" not in str(caught.value)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_stream_is_its_pairs_to_the_bit(precision):
    estimator = opticflow.load(device="cpu", precision=precision, iterations=2)
    frames = moving(64, 96, 4)
    singly = [estimator(*pair) for pair in pairwise(frames)]
    for reuse in (True, False):
        np.testing.assert_array_equal(singly, list(estimator.stream(frames, reuse=reuse)))


# --- tensors


@pytest.mark.parametrize("name", ["DIS", "RAFT-small"])
def test_tensors_give_what_arrays_give(name):
    frames = moving(61, 83, 3)
    estimator = opticflow.load(name, device="cpu", precision="fp32")
    wanted = [estimator(*frames[:2]), estimator(*frames[1:])]
    whole = [torch.from_numpy(frame).permute(2, 0, 1) for frame in frames]
    floats = [frame.double() / 255 for frame in whole]
    for first, second in (whole[:2], floats[:2]):
        flow = estimator(first, second)
        assert flow.shape == (2, 61, 83) and flow.dtype == torch.float32
        np.testing.assert_allclose(flow.permute(1, 2, 0).numpy(), wanted[0], atol=1e-3)
    together = estimator(torch.stack(whole[:2]), torch.stack(whole[1:]))
    assert together.shape == (2, 2, 61, 83)
    np.testing.assert_allclose(together.permute(0, 2, 3, 1).numpy(), wanted, atol=5e-3)
    streamed = list(estimator.stream(whole))
    assert all(isinstance(flow, torch.Tensor) for flow in streamed)
    np.testing.assert_allclose(streamed[1].permute(1, 2, 0).numpy(), wanted[1], atol=5e-3)


def test_what_tensors_give_may_be_part_of_a_graph(frames):
    first, second = (torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255 for frame in frames[:2])
    flow = Estimator(build("RAFT-small", iterations=1), device="cpu", precision="fp32")(first, second)
    scale = torch.ones((), requires_grad=True)
    (scale * flow).square().mean().backward()
    assert scale.grad is not None and scale.grad > 0


def test_tensors_are_estimated_in_tiles_where_memory_is_short(monkeypatch):
    frames = moving(300, 400, 2, dx=4, dy=2)
    first, second = (torch.from_numpy(frame).permute(2, 0, 1) for frame in frames)
    monkeypatch.setattr("opticflow.estimator.estimator.pixels_within", lambda *_, **__: 256 * 256)
    estimator = opticflow.load("DIS", max_memory="1GB")
    assert len(estimator.tiles(300, 400)) > 1
    np.testing.assert_array_equal(estimator(first, second).permute(1, 2, 0).numpy(), estimator(*frames))


def test_tensors_start_where_they_are_told():
    frames = moving(192, 256, 2, dx=60, dy=0)
    first, second = (torch.from_numpy(frame).permute(2, 0, 1) for frame in frames)
    start = torch.zeros(2, 192, 256)
    start[0] = 60
    estimator = opticflow.load("DIS")
    told = estimator(first, second, init_flow=start).permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(told, estimator(*frames, init_flow=start.permute(1, 2, 0).numpy()))
    with pytest.raises(InputError, match=r"wanted a tensor \(2, 192, 256\)"):
        estimator(first, second, init_flow=start[:, :-1])


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        (torch.zeros(3, 48, 64), torch.zeros(3, 48, 65), "wanted the second one alike"),
        (torch.zeros(3, 48, 64), np.zeros((48, 64, 3), np.uint8), "wanted the second one alike"),
        (torch.full((3, 48, 64), 2.0), torch.zeros(3, 48, 64), r"values in \[2, 2\]; wanted \[0, 1\]"),
        (torch.full((3, 48, 64), float("nan")), torch.zeros(3, 48, 64), r"wanted \[0, 1\]"),
        (torch.zeros(3, 48, 64, dtype=torch.int32), torch.zeros(3, 48, 64, dtype=torch.int32), "the type torch.int32"),
        (torch.zeros(0, 3, 48, 64), torch.zeros(0, 3, 48, 64), "has the shape"),
    ],
)
def test_tensors_that_are_no_frames_are_one_line(first, second, reason):
    with pytest.raises(InputError, match=reason):
        opticflow.load("DIS")(first, second)
