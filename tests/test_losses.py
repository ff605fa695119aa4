"""Losses against sums written out, torch.distributions and finite differences."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from opticflow.errors import InputError
from opticflow.losses import (
    CAFFE_WEIGHTS,
    FLOWNET2_PYTORCH_WEIGHTS,
    LOSSES,
    SMALL_UNIT,
    downsample_truth,
    masked_mean,
    mixture_of_laplacians,
    mixture_of_laplacians_loss,
    multiscale_loss,
    sequence_loss,
)


def random_truth(height: int = 64, width: int = 128, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    flow = 10 * torch.randn(2, 2, height, width, generator=generator)
    return flow, torch.rand(2, height, width, generator=generator) < 0.7


def pyramid(flow, seed: int = 1):
    generator = torch.Generator().manual_seed(seed)
    height, width = flow.shape[-2:]
    return [torch.randn(2, 2, height // 2**n, width // 2**n, generator=generator) for n in (6, 5, 4, 3, 2)]


def test_multiscale_loss_is_the_sum_written_out():
    flow, valid = random_truth()
    predictions = pyramid(flow)
    expected = 0.0
    for weight, prediction in zip((0.32, 0.08, 0.02, 0.01, 0.005), predictions, strict=True):
        cell = 64 // prediction.shape[-2]
        for b in range(2):
            for y in range(prediction.shape[-2]):
                for x in range(prediction.shape[-1]):
                    box = np.s_[y * cell : (y + 1) * cell, x * cell : (x + 1) * cell]
                    inside = valid[b][box].numpy()
                    if inside.mean() < 0.5:
                        continue
                    truth = [float(flow[b, c][box].numpy()[inside].mean()) for c in (0, 1)]
                    got = prediction[b, :, y, x].tolist()
                    expected += weight * float(np.hypot(got[0] - truth[0], got[1] - truth[1])) / 20 / 2
    assert float(multiscale_loss(predictions, flow, valid)) == pytest.approx(expected, rel=1e-4)


@given(st.sampled_from([(64, 64), (64, 192)]), st.floats(0.05, 20))
def test_multiscale_loss_of_constant_flows_is_their_distance(size, unit):
    flow = torch.zeros(1, 2, *size)
    flow[:, 0], flow[:, 1] = 3.0, 4.0
    predictions = [torch.zeros(1, 2, size[0] // 2**n, size[1] // 2**n) for n in (6, 5, 4, 3, 2)]
    everywhere = torch.ones(1, *size, dtype=torch.bool)
    loss = multiscale_loss(
        predictions, flow, everywhere, weights=FLOWNET2_PYTORCH_WEIGHTS, reduction="pixels", unit=unit
    )
    assert float(loss) == pytest.approx(5 / unit * 0.62, rel=1e-5)
    robust = multiscale_loss(
        predictions[-1:], flow, everywhere, weights=[1], reduction="valid", unit=unit, exponent=0.4, epsilon=0.01
    )
    assert float(robust) == pytest.approx((5 / unit + 0.01) ** 0.4, rel=1e-5)


def test_the_unit_changes_the_gradient_by_a_factor_only_at_exponent_one():
    flow, valid = random_truth()

    def gradient(**options):
        predictions = [p.requires_grad_() for p in pyramid(flow)]
        multiscale_loss(predictions, flow, valid, **options).backward()
        return predictions[-1].grad / predictions[-1].grad.abs().mean()

    assert torch.allclose(gradient(), gradient(unit=SMALL_UNIT), rtol=1e-4)
    assert not torch.allclose(gradient(exponent=0.4, epsilon=0.01), gradient(exponent=0.4, epsilon=0.01, unit=500))


@pytest.mark.parametrize("name", ["multiscale", "sequence"])
def test_unknown_flow_reaches_neither_loss_nor_gradient(name):
    flow, valid = random_truth()
    spoiled = torch.where(valid[:, None], flow, float("nan"))
    everywhere = torch.ones_like(valid)
    sizes = pyramid(flow) if name == "multiscale" else [torch.randn_like(flow)]
    results = []
    for truth, mask in ((flow, valid), (spoiled, valid), (spoiled, everywhere)):
        predictions = [p.clone().requires_grad_() for p in sizes]
        loss = LOSSES[name](predictions, truth, mask)
        loss.backward()
        results.append((loss.detach(), predictions[-1].grad))
    for loss, gradient in results[1:]:
        assert torch.equal(loss, results[0][0])
        assert torch.equal(gradient, results[0][1])
    assert torch.isfinite(results[0][1]).all()
    if name == "sequence":
        assert (results[0][1].permute(0, 2, 3, 1)[~valid] == 0).all()


def test_a_perfect_prediction_has_a_finite_gradient():
    flow, valid = random_truth()
    prediction = flow.clone().requires_grad_()
    multiscale_loss([prediction], flow, valid, weights=(0.005,)).backward()
    assert torch.equal(prediction.grad, torch.zeros_like(flow))


def test_reduced_truth_is_known_where_half_of_the_area_is():
    flow = torch.arange(8.0).reshape(1, 1, 1, 8).expand(1, 2, 2, 8).clone()
    valid = torch.tensor([[1, 1, 1, 1], [0, 0, 0, 0]], dtype=torch.bool).repeat_interleave(2, 1)[None].clone()
    valid[0, 0, 0] = False
    small, known = downsample_truth(torch.where(valid[:, None], flow, 0), valid, (1, 4))
    assert known.tolist() == [[[False, True, True, True]]]
    assert small[0, 0, 0, 1:].tolist() == [2.5, 4.5, 6.5]


def test_sequence_loss_is_the_sum_written_out():
    flow, valid = random_truth(8, 12)
    flow[0, :, 0, 0] = 300.0  # 424 px long
    valid[0, 0, 0] = True
    predictions = [flow + torch.randn_like(flow) for _ in range(3)]
    counted = valid.clone()
    counted[0, 0, 0] = False
    total = everywhere = 0.0
    for weight, prediction in zip((0.64, 0.8, 1.0), predictions, strict=True):
        distance = (prediction - flow).abs().numpy().transpose(0, 2, 3, 1)[counted.numpy()]
        total += weight * distance.sum() / flow.numel()
        everywhere += weight * distance.mean()
    assert float(sequence_loss(predictions, flow, valid)) == pytest.approx(total, rel=1e-5)
    assert float(sequence_loss(predictions, flow, valid, reduction="valid")) == pytest.approx(everywhere, rel=1e-5)
    without = sequence_loss(predictions, flow, valid, max_flow=1e9)
    assert float(without) > float(sequence_loss(predictions, flow, valid))


def test_nothing_known_is_a_loss_of_zero():
    flow, valid = random_truth(8, 8)
    for reduction in ("valid", "pixels", "batch"):
        assert float(sequence_loss([flow + 1], flow, valid & False, reduction=reduction)) == 0


@pytest.mark.parametrize("place", [(0, 0, 0, 0), (1, 1, 7, 7)])
def test_a_diverged_prediction_shows_wherever_it_is(place):
    flow, valid = random_truth(8, 8)
    valid[0, 0, 0], valid[1, 7, 7] = True, False
    prediction = flow.clone()
    prediction[place] = float("nan")
    assert torch.isnan(sequence_loss([prediction], flow, valid))
    assert torch.isnan(multiscale_loss([prediction], flow, valid, weights=(1,)))


def test_masked_mean_divides_by_what_it_says():
    error, mask = torch.full((2, 3, 4, 5), 2.0), torch.zeros(2, 1, 4, 5, dtype=torch.bool)
    mask[0, 0, :2] = True
    assert float(masked_mean(error, mask, "valid")) == 2
    assert float(masked_mean(error, mask, "pixels")) == 0.5
    assert float(masked_mean(error, mask, "batch")) == 30


def test_mixture_of_laplacians_is_the_likelihood_of_torch_distributions():
    generator = torch.Generator().manual_seed(3)
    error = 5 * torch.randn(2, 2, 4, 5, generator=generator)
    weights, log_scale = torch.randn(2, 2, 3, 4, 5, generator=generator)
    mixture = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(logits=weights.permute(0, 2, 3, 1)),
        torch.distributions.Laplace(0.0, log_scale.permute(0, 2, 3, 1).exp()),
    )
    expected = torch.stack([-mixture.log_prob(error[:, c]) for c in (0, 1)], 1)
    assert torch.allclose(mixture_of_laplacians(error, weights, log_scale), expected, atol=1e-5)


def test_mixture_loss_with_equal_scales_is_an_l1_loss():
    flow, valid = random_truth(8, 8)
    prediction = flow + torch.randn_like(flow)
    zeros = torch.zeros(2, 2, 8, 8)
    got = mixture_of_laplacians_loss([(prediction, zeros, zeros - 3)], flow, valid)
    expected = sequence_loss([prediction], flow, valid, reduction="valid") + np.log(2)
    assert float(got) == pytest.approx(float(expected), rel=1e-5)
    wide = mixture_of_laplacians_loss([(prediction, zeros, zeros + 50)], flow, valid)
    clamped = torch.tensor([10.0, 0.0])[:, None, None].expand_as(zeros)
    bounded = masked_mean(mixture_of_laplacians(prediction - flow, zeros, clamped), valid[:, None])
    assert float(wide) == pytest.approx(float(bounded), rel=1e-5)


def test_weights_are_known_by_name():
    predictions = [torch.randn(1, 2, 2**i, 2**i) for i in range(1, 6)]
    flow, valid = torch.randn(1, 2, 32, 32), torch.ones(1, 32, 32, dtype=torch.bool)
    named, given = (
        multiscale_loss(predictions, flow, valid, weights=w)
        for w in ("flownet2-pytorch", (0.02, 0.04, 0.08, 0.16, 0.32))
    )
    assert named == given
    with pytest.raises(InputError, match="known are caffe, flownet-pytorch"):
        multiscale_loss(predictions, flow, valid, weights="cafe")


def test_another_number_of_weights_is_refused():
    flow, valid = random_truth()
    with pytest.raises(InputError, match="flows of 4 scales, and the loss has weights for 5"):
        multiscale_loss(pyramid(flow)[1:], flow, valid, weights=CAFFE_WEIGHTS)
