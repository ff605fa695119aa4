"""The epilogue of a convolution: residual addition and ReLU, where the convolution's own loops do not include them."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Features = Float[Tensor, "batch _ _ _"]


def relu(x: Features) -> Features:
    """ReLU; in place where no gradient flows, so that `x` is overwritten."""
    return F.relu(x, inplace=not torch.is_grad_enabled())


def epilogue(answer: Features, residual: Features | None, with_relu: bool) -> Features:
    """A convolution's answer with a residual added to it, and ReLU on request; the answer may be overwritten."""
    if residual is not None:
        answer = answer.add_(residual)
    return relu(answer) if with_relu else answer
