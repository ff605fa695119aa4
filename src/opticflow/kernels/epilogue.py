"""The epilogue of a convolution, residual addition and ReLU, where the convolution's own kernel does not include it."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Features = Float[Tensor, "batch _ _ _"]


def relu(x: Features) -> Features:
    """Apply ReLU; without gradients in place, so that `x` is overwritten."""
    return F.relu(x, inplace=not torch.is_grad_enabled())


def epilogue(answer: Features, residual: Features | None, with_relu: bool) -> Features:
    """Add a residual to the result of a convolution, and apply ReLU on request; the result may be overwritten."""
    if residual is not None:
        answer = answer.add_(residual)
    return relu(answer) if with_relu else answer
