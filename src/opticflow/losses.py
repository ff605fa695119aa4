"""Training losses: error maps, and their mean over the valid pixels.

Predictions come in pixels of the frames, coarsest or earliest first, as `LearnedNetwork.predictions` gives them.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from opticflow.errors import InputError
from opticflow.shapes import Flow, Mask

Prediction = Float[Tensor, "batch 2 _ _"]
Map = Float[Tensor, "batch *channels height width"]
MaskOfMap = Bool[Tensor, "batch *#channels height width"]
Mixture = Float[Tensor, "batch components height width"]
Reduction = Literal["valid", "pixels", "batch"]

CAFFE_WEIGHTS = (0.32, 0.08, 0.02, 0.01, 0.005)
"""Loss weights per scale, coarsest (level 6, 1/64) first, finest (level 2, 1/4) last, of FlowNet and FlowNet 2.0, and
of FlowNetPytorch, which lists them from the finest. They are larger for coarse levels, which have fewer pixels to sum
over."""
FLOWNET2_PYTORCH_WEIGHTS = (0.02, 0.04, 0.08, 0.16, 0.32)
"""Loss weights of flownet2-pytorch's MultiScale, 0.32 / 2^i from level 2 on: in the opposite order. They go with the
reduction `pixels`, a mean at every level."""
FUSION_WEIGHTS = (0.005,)
"""Loss weight of the one estimate of FlowNet 2.0's fusion network, at full resolution."""
WEIGHTINGS: dict[str, tuple[float, ...]] = {
    "caffe": CAFFE_WEIGHTS,
    "flownet-pytorch": CAFFE_WEIGHTS,
    "flownet2-pytorch": FLOWNET2_PYTORCH_WEIGHTS,
    "fusion": FUSION_WEIGHTS,
}
"""Loss weights by the project that uses them."""

LARGE_UNIT = 20.0
"""FlowNetS and FlowNetC were trained on flow / 20, so that targets are near one (solver files of FlowNet 2.0)."""
SMALL_UNIT = 0.05
"""FlowNet2-SD was trained on flow * 20, as its displacements are mostly below one pixel."""

LARGEST_LOG_SCALE = 10.0
"""SEA-RAFT bounds the logarithm of the free Laplacian's scale to [0, 10]."""


def end_point_error(prediction: Flow, truth: Flow) -> Float[Tensor, "batch height width"]:
    """Return the length of the difference, in pixels, at least 1e-6; its gradient is zero where the two are equal."""
    return (prediction - truth).square().sum(1).clamp(min=1e-12).sqrt()


def charbonnier(error: Map, exponent: float, epsilon: float) -> Map:
    """Return the generalised Charbonnier penalty, (error + epsilon)^exponent. An exponent below one gives more weight
    to small errors, as FlowNet2-CSS-ft-sd needs."""
    return error if exponent == 1 and epsilon == 0 else (error + epsilon) ** exponent


def mixture_of_laplacians(error: Flow, weights: Mixture, log_scale: Mixture) -> Float[Tensor, "batch 2 height width"]:
    """Return the negative log-likelihood of each component of the error under a mixture of Laplacians.

    -log sum_k softmax(weights)_k / (2 b_k) exp(-|error| / b_k) with b_k = exp(log_scale_k)
    (Wang, Lipson, Deng, "SEA-RAFT", ECCV 2024, eq. 6).

    Args:
        error: prediction minus truth, in pixels.
        weights: the logarithms of the mixture's weights, up to a constant.
        log_scale: the logarithms of the scales in pixels.
    """
    weights, log_scale = weights[:, None], log_scale[:, None]  # the same for both components of the flow
    density = weights - log_scale - error.abs()[:, :, None] * torch.exp(-log_scale)
    return torch.logsumexp(weights, 2) - torch.logsumexp(density, 2) + torch.log(weights.new_tensor(2.0))


def masked_mean(error: Map, mask: MaskOfMap, reduction: Reduction = "valid") -> Float[Tensor, ""]:
    """Return the mean of a map over the pixels of a mask.

    Args:
        error: finite everywhere, also outside the mask; otherwise the mean is not finite.
        mask: the entries that count; with one channel, or with the channels of the map.
        reduction: what the sum is divided by. `valid`: the number of entries that count, at least one (Caffe's
            `normalize_by_num_entries`). `pixels`: the number of all entries, as RAFT does, so that a sparse truth
            weighs less. `batch`: the batch size, as Caffe's default and FlowNetPytorch do, so that a large crop weighs
            more.
    """
    total = (error * mask.to(error.dtype)).sum()  # three times as fast as `where`, forward and backward
    match reduction:
        case "valid":
            return total / mask.expand_as(error).sum().clamp(min=1)
        case "pixels":
            return total / error.numel()
        case "batch":
            return total / len(error)


def zero_unknown(flow: Flow, valid: Mask) -> tuple[Flow, Mask]:
    """Return the flow with zero where it is unknown, NaN or infinite, so that it is finite everywhere.

    This is needed before any error map is computed: a mask hides a NaN from the loss, but not from the gradient.
    """
    valid = valid & torch.isfinite(flow).all(1)
    return torch.where(valid[:, None], flow, torch.zeros_like(flow)), valid


def downsample_truth(flow: Flow, valid: Mask, size: tuple[int, int]) -> tuple[Prediction, Bool[Tensor, "batch _ _"]]:
    """Return the ground truth at the size (height, width) of a prediction, in unchanged units: the mean of the known
    vectors in the area of each new pixel; unknown where less than half of the area is known.

    FlowNetPytorch averages areas too. Caffe's Downsample weights with a triangle of twice that width, around points of
    a grid whose corners are those of the frame; its result is smoother and shifted by up to half a new pixel at the
    borders. It has the same limit of one half for unknown pixels.

    Args:
        flow: zero where unknown.
        valid: where it is known.
        size: at most the size of `flow`.
    """
    if tuple(flow.shape[-2:]) == size:
        return flow, valid
    share = F.adaptive_avg_pool2d(valid[:, None].to(flow.dtype), size)
    flow = F.adaptive_avg_pool2d(flow, size) / share.clamp(min=1e-6)
    return flow, share[:, 0] >= 0.5


def multiscale_loss(
    predictions: Sequence[Prediction],
    flow: Flow,
    valid: Mask,
    *,
    weights: Sequence[float] | str = CAFFE_WEIGHTS,
    reduction: Reduction = "batch",
    unit: float = LARGE_UNIT,
    exponent: float = 1.0,
    epsilon: float = 0.0,
) -> Float[Tensor, ""]:
    """Return FlowNet's loss: the end-point error at several scales (Dosovitskiy et al., ICCV 2015; Ilg et al., CVPR
    2017).

    Args:
        predictions: in pixels of the frames, whatever their own size; the coarsest first.
        flow: the truth at the frames' size, in pixels.
        valid: where it is known.
        weights: one for each prediction, or a key of WEIGHTINGS.
        reduction: how each scale is averaged, see `masked_mean`.
        unit: the unit of the error, in pixels. The papers compare flow / 20 (or flow * 20 for FlowNet2-SD). With
            exponent 1 it is a factor on the loss, which Adam cancels except for the relative strength of the weight
            decay. With another exponent it determines, together with `epsilon`, which errors count as small.
        exponent: 0.4 for FlowNet2-CSS-ft-sd.
        epsilon: added to the error before the power, in the same unit; 0.01 for FlowNet2-CSS-ft-sd.

    Raises:
        InputError: the number of weights is not that of the predictions, or WEIGHTINGS has no such key.
    """
    if isinstance(weights, str):
        if weights not in WEIGHTINGS:
            raise InputError(f"there are no weights {weights!r} for scales; known are {', '.join(WEIGHTINGS)}")
        weights = WEIGHTINGS[weights]
    if len(weights) != len(predictions):
        raise InputError(
            f"the network gives flows of {len(predictions)} scales, and the loss has weights for {len(weights)}; give "
            "one for each scale, in a stage's loss_options={'weights': (...)}"
        )
    flow, valid = zero_unknown(flow, valid)
    loss = flow.new_zeros(())
    for weight, prediction in zip(weights, predictions, strict=True):
        truth, counted = downsample_truth(flow, valid, (prediction.shape[-2], prediction.shape[-1]))
        error = charbonnier(end_point_error(prediction.float(), truth) / unit, exponent, epsilon)
        loss = loss + weight * masked_mean(error, counted, reduction)
    return loss


def sequence_loss(
    predictions: Sequence[Flow],
    flow: Flow,
    valid: Mask,
    *,
    gamma: float = 0.8,
    max_flow: float = 400.0,
    reduction: Reduction = "pixels",
) -> Float[Tensor, ""]:
    """Return RAFT's loss: sum_i gamma^(n-1-i) mean |prediction_i - truth| (Teed, Deng, ECCV 2020, eq. 7).

    The mean is over pixels and both components, so it is half the paper's L1 distance. The authors' `train.py` does the
    same, and learning rates and clipping depend on it. There unknown pixels count as zero; the reduction `valid`
    averages over the known pixels instead.

    Args:
        predictions: at the frames' size, the earliest first.
        flow: the truth, in pixels.
        valid: where it is known.
        gamma: the weight of an estimate divided by that of the next one.
        max_flow: in pixels; true vectors of this length or more are left out.
        reduction: see `masked_mean`.
    """
    flow, counted = _within(flow, valid, max_flow)
    errors = (F.l1_loss(prediction.float(), flow, reduction="none") for prediction in predictions)
    return _weighted(errors, len(predictions), counted[:, None], gamma, reduction)


def mixture_of_laplacians_loss(
    predictions: Sequence[tuple[Flow, Mixture, Mixture]],
    flow: Flow,
    valid: Mask,
    *,
    gamma: float = 0.85,
    max_flow: float = 400.0,
    reduction: Reduction = "valid",
) -> Float[Tensor, ""]:
    """Return SEA-RAFT's loss, for networks that predict a mixture with each flow: two Laplacians per pixel. The scale
    of the first is at least 1 px; that of the second is fixed to 1 px, which makes it the plain L1 loss.

    Args:
        predictions: flow, weights and unbounded logarithms of the scales, each at the frames' size, the earliest first.
        flow: the truth, in pixels.
        valid: where it is known.
        gamma: the weight of an estimate divided by that of the next one.
        max_flow: in pixels; true vectors of this length or more are left out.
        reduction: see `masked_mean`.
    """
    flow, counted = _within(flow, valid, max_flow)
    upper = flow.new_tensor([LARGEST_LOG_SCALE, 0.0])[:, None, None]
    errors = (
        mixture_of_laplacians(prediction.float() - flow, weights.float(), raw.float().clamp(min=0).minimum(upper))
        for prediction, weights, raw in predictions
    )
    return _weighted(errors, len(predictions), counted[:, None], gamma, reduction)


def _within(flow: Flow, valid: Mask, max_flow: float) -> tuple[Flow, Mask]:
    flow, valid = zero_unknown(flow, valid)
    return flow, valid & (flow.square().sum(1) < max_flow**2)


def _weighted(errors, count: int, mask: MaskOfMap, gamma: float, reduction: Reduction) -> Float[Tensor, ""]:
    terms = [gamma ** (count - 1 - i) * masked_mean(error, mask, reduction) for i, error in enumerate(errors)]
    return torch.stack(terms).sum()


LOSSES: dict[str, Callable[..., Tensor]] = {
    "multiscale": multiscale_loss,
    "sequence": sequence_loss,
    "mixture-of-laplacians": mixture_of_laplacians_loss,
}
"""Loss functions of (predictions, flow, valid) and their own options, by name."""
LOSS_INPUTS = {"multiscale": "scales", "sequence": "iterations", "mixture-of-laplacians": "mixtures"}
"""Kind of predictions that each loss takes: `LearnedNetwork.estimates`."""
