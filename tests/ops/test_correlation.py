import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from opticflow.ops.correlation import CorrelationVolume, correlation, correlation_of_rows
from opticflow.ops.grid import pixel_grid


def features(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("form", [correlation, correlation_of_rows])
@pytest.mark.parametrize(("reach", "step"), [(2, 1), (4, 2), (20, 2)])
def test_correlation_by_its_definition(form, reach, step):
    first, second = features(2, 5, 6, 7), features(2, 5, 6, 7, seed=1)
    found = form(first, second, reach=reach, step=step)
    count = 2 * reach // step + 1
    assert found.shape == (2, count**2, 6, 7)
    for channel in range(0, count**2, 7):
        dy, dx = divmod(channel, count)
        for y in range(6):
            for x in range(7):
                there_y, there_x = y + dy * step - reach, x + dx * step - reach
                inside = 0 <= there_y < 6 and 0 <= there_x < 7
                wanted = (first[:, :, y, x] * second[:, :, there_y, there_x]).mean(1) if inside else torch.zeros(2)
                torch.testing.assert_close(found[:, channel, y, x], wanted)


@given(
    sizes=st.tuples(st.integers(1, 3), st.integers(1, 37), st.integers(1, 15), st.integers(1, 15)),
    reach=st.integers(0, 9),
    step=st.integers(1, 4),
)
def test_both_forms_of_the_correlation_agree(sizes, reach, step):
    pair = [features(*sizes, seed=seed).requires_grad_() for seed in range(2)]
    forms = [form(*pair, reach=reach, step=step) for form in (correlation, correlation_of_rows)]
    torch.testing.assert_close(*forms, rtol=0, atol=1e-5)
    weights = features(*forms[0].shape, seed=2)
    one, other = (torch.autograd.grad(form, pair, weights) for form in forms)
    torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("form", [correlation, correlation_of_rows])
def test_gradients_of_the_correlation_in_double_precision(form):
    pair = [features(2, 3, 4, 7, seed=seed).double().requires_grad_() for seed in range(2)]
    assert torch.autograd.gradcheck(lambda a, b: form(a, b, reach=4, step=2), pair)


def test_threads_share_the_rows_of_the_correlation(set_threads):
    pair = [features(2, 8, 5, 9, seed=seed).requires_grad_() for seed in range(2)]

    def run():
        found = correlation(*pair, reach=4, step=2)
        return [found, *torch.autograd.grad(found.square().sum(), pair)]

    alone = run()
    set_threads(3)
    torch.testing.assert_close(run(), alone, rtol=0, atol=0)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_half_precision_is_summed_in_single(kind):
    pair = [features(1, 64, 6, 6, seed=seed).to(kind) for seed in range(2)]
    wanted = correlation(*[tensor.float() for tensor in pair])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(correlation(*pair), wanted, rtol=0, atol=0)


def test_lookup_at_whole_pixels_reads_the_volume():
    first, second = features(1, 8, 16, 24), features(1, 8, 16, 24, seed=1)
    volume = CorrelationVolume(first, second, levels=2, radius=1)
    coordinates = pixel_grid(16, 24, like=first)[None] + 2
    found = volume.lookup(coordinates)
    assert found.shape == (1, 18, 16, 24)
    products = torch.einsum("cyx,cvu->yxvu", first[0], second[0]) / 8**0.5
    # x is the slow index of the window: channel 1 is (-1, 0), channel 3 is (0, -1)
    torch.testing.assert_close(found[0, 1, 3, 4], products[3, 4, 5, 5])
    torch.testing.assert_close(found[0, 3, 3, 4], products[3, 4, 4, 6])
    torch.testing.assert_close(found[0, 4, 3, 4], products[3, 4, 5, 6])
    # the coarser level averages 2 x 2 and is read at half the coordinates: (6, 6) / 2 is its pixel (3, 3)
    torch.testing.assert_close(found[0, 13, 4, 4], products[4, 4, 6:8, 6:8].mean())
    assert (found[0, :9, -1, -1] == 0).all()  # two pixels outside, and no neighbour within


def test_pyramid_pools_as_long_as_it_can():
    volume = CorrelationVolume(features(1, 4, 3, 9), features(1, 4, 3, 9, seed=1), levels=4)
    assert [tuple(level.shape[-2:]) for level in volume.pyramid] == [(3, 9), (1, 4), (1, 2), (1, 1)]
    torch.testing.assert_close(volume.pyramid[1], F.avg_pool2d(volume.pyramid[0], 2))
    assert volume.lookup(pixel_grid(3, 9, like=torch.zeros(1))[None]).isfinite().all()
