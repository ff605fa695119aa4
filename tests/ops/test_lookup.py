"""Every form of the lookup against the plain one."""

import importlib

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode

from opticflow.ops import lookup
from opticflow.ops.correlation import CorrelationVolume
from opticflow.ops.lookup import GatheredCorrelation, OnDemandCorrelation, correlation_lookup

CLASSES = [GatheredCorrelation, OnDemandCorrelation]
FORMS = ["gather", "on-demand by numba", "on-demand by torch"]


@pytest.fixture
def form(request, monkeypatch):
    name, _, by = request.param.partition(" by ")
    if by in ("numba", "triton"):
        pytest.importorskip(by)
    if by:
        kernels = importlib.import_module(f"opticflow.kernels.lookup_{by}")
        monkeypatch.setattr(lookup, "_kernels", lambda _: kernels)
    return {"gather": GatheredCorrelation, "on-demand": OnDemandCorrelation}[name]


def features(batch: int, channels: int, height: int, width: int, *, seed: int = 0, kind=torch.float32):
    random = torch.Generator().manual_seed(seed)
    return [torch.randn(batch, channels, height, width, generator=random).to(kind).requires_grad_() for _ in range(2)]


def compare(form, pair, places, *, radius: int, levels: int = 4) -> None:
    """With the plain form: values at all places in turn, and the gradients of a weighted sum of them all."""
    forms = [each(*pair, levels=levels, radius=radius) for each in (CorrelationVolume, form)]
    sums = [pair[0].new_zeros(()), pair[0].new_zeros(())]
    for i, coordinates in enumerate(places):
        found = [form.lookup(coordinates) for form in forms]
        torch.testing.assert_close(found[1], found[0], rtol=0, atol=1e-4)
        weights = torch.randn(found[0].shape, generator=torch.Generator().manual_seed(i)).to(found[0])
        sums = [total + (values * weights).sum() for total, values in zip(sums, found, strict=True)]
    gradients = [torch.autograd.grad(total, pair) for total in sums]
    for wanted, gradient in zip(*gradients, strict=True):
        torch.testing.assert_close(gradient, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("form", FORMS, indirect=True)
@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (5, 3), (9, 17)])
@pytest.mark.parametrize("radius", [3, 4])
def test_inside_at_borders_and_outside(form, shape, radius):
    height, width = shape
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    grid = torch.stack((x, y)).float().expand(2, -1, -1, -1)
    moves = [0.0, 0.25, 1.0, -3.5, 2 * radius + 7.5, -1e3, 1e6, 0.0]
    compare(form, features(2, 16, height, width), [grid + move for move in moves], radius=radius)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("form", ["gather", "on-demand by torch", "on-demand by triton"], indirect=True)
@pytest.mark.parametrize("radius", [3, 4])
@pytest.mark.parametrize("shape", [(2, 19, 23), (4, 46, 62)])
def test_on_a_gpu(form, radius, shape):
    batch, height, width = shape
    pair = [tensor.detach().cuda().requires_grad_() for tensor in features(batch, 64, height, width)]
    random = torch.Generator().manual_seed(0)
    first = 1.1 * width * torch.rand(batch, 2, height, width, generator=random)
    places = [first, first + 0.3, first + 2.5, first - 30]
    compare(form, pair, [place.cuda() for place in places], radius=radius)


@settings(max_examples=20, deadline=None)
@given(
    form=st.sampled_from(CLASSES),
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    levels=st.integers(1, 5),
    radius=st.integers(1, 4),
    reach=st.floats(0.1, 40),
    seed=st.integers(0, 99),
)
def test_any_size_and_any_motion(form, height, width, levels, radius, reach, seed):
    random = torch.Generator().manual_seed(seed)
    places = [reach * torch.randn(1, 2, height, width, generator=random) for _ in range(2)]
    places += [places[-1] + torch.randn(1, 2, height, width, generator=random)]
    compare(form, features(1, 8, height, width, seed=seed), places, radius=radius, levels=levels)


@pytest.mark.parametrize("form", FORMS, indirect=True)
def test_gradients_in_double_precision(form):
    pair = features(2, 2, 2, 3, kind=torch.float64)
    random = torch.Generator().manual_seed(1)
    places = [2 * torch.rand(2, 2, 2, 3, generator=random, dtype=torch.float64) for _ in range(2)]

    def look(first, second):
        found = form(first, second, levels=2, radius=1)
        return torch.cat([found.lookup(p) for p in places], 1)

    assert torch.autograd.gradcheck(look, pair)


def test_averaging_features_equals_averaging_products():
    """What spares the volume's pyramid."""
    first, second = features(1, 8, 9, 11)
    pooled = torch.nn.functional.avg_pool2d(second, 2)
    products = torch.einsum("bchw,bcij->bhwij", first, pooled) / 8**0.5
    level = CorrelationVolume(first, second, levels=2).pyramid[1]
    torch.testing.assert_close(level.view_as(products), products, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("form", CLASSES)
def test_the_pyramid_can_be_looked_at(form):
    pair = features(1, 8, 9, 11)
    for wanted, level in zip(CorrelationVolume(*pair).pyramid, form(*pair).pyramid, strict=True):
        torch.testing.assert_close(level, wanted, rtol=0, atol=0)


@pytest.mark.parametrize("form", CLASSES)
def test_a_second_backward_pass_sees_its_own_gradients_only(form):
    pair = features(1, 8, 6, 6)
    places = 4 * torch.rand(1, 2, 6, 6)
    found = form(*pair, radius=2)
    total = found.lookup(places).sum()
    once = torch.autograd.grad(total, pair, retain_graph=True)
    again = torch.autograd.grad(total, pair)
    torch.testing.assert_close(again, once, rtol=0, atol=0)


@pytest.mark.parametrize("form", CLASSES)
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_half_precision_is_summed_in_single(form, kind):
    pair = [tensor.detach().to(kind).requires_grad_() for tensor in features(1, 64, 8, 8)]
    single = [tensor.detach().float().requires_grad_() for tensor in pair]
    places = 8 * torch.rand(1, 2, 8, 8)
    wanted = CorrelationVolume(*single).lookup(places)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = form(*pair).lookup(places)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-4)
    gradients = torch.autograd.grad(found.square().sum(), pair)
    for gradient, single_gradient in zip(gradients, torch.autograd.grad(wanted.square().sum(), single), strict=True):
        assert gradient.dtype == kind
        torch.testing.assert_close(gradient.float(), single_gradient, rtol=1e-2, atol=1e-2)


def test_threads_share_the_work(set_threads):
    pair, places = features(1, 8, 7, 9), 6 * torch.rand(1, 2, 7, 9)
    alone = OnDemandCorrelation(*pair).lookup(places)
    set_threads(3)
    torch.testing.assert_close(OnDemandCorrelation(*pair).lookup(places), alone, rtol=0, atol=0)


def test_the_form_is_chosen(monkeypatch):
    pair = features(1, 8, 8, 8)
    assert isinstance(correlation_lookup(*pair, form="plain"), CorrelationVolume)
    assert isinstance(correlation_lookup(*pair), OnDemandCorrelation)
    monkeypatch.setattr(lookup, "has_numba", lambda: False)
    assert isinstance(correlation_lookup(*pair), GatheredCorrelation)
    large = [tensor.new_zeros(1, 1, 160, 160) for tensor in pair]
    assert isinstance(correlation_lookup(*large), OnDemandCorrelation)


@pytest.mark.parametrize(
    ("shape", "free", "wanted"),
    [
        ((32, 48, 62), 40e9, "gather"),
        ((32, 48, 62), 6e9, "on-demand"),
        ((1, 180, 320), 1e12, "on-demand"),
    ],
    ids=["one of 1.1 GB fits six times", "it does not", "more entries than 32 bits count"],
)
def test_on_a_gpu_free_memory_decides(monkeypatch, shape, free, wanted):
    batch, height, width = shape
    monkeypatch.setattr(lookup, "_free_memory", lambda gpu: free)
    with FakeTensorMode():
        pair = [torch.empty(batch, 8, height, width, device="cuda") for _ in range(2)]
    assert lookup._choose(*pair) == wanted


def test_blocks_of_any_size_give_the_same_gradients(monkeypatch):
    """On a GPU they are larger."""
    pair = features(2, 8, 6, 7)
    found = []
    for size in (1, lookup.BLOCK, lookup.BLOCK_ON_GPU):
        monkeypatch.setattr(lookup, "BLOCK", size)
        values = OnDemandCorrelation(*pair, radius=2).lookup(5 * torch.ones(2, 2, 6, 7))
        found.append(torch.autograd.grad(values.square().sum(), pair))
    torch.testing.assert_close(found[1:], [found[0]] * 2)
