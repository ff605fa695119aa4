"""What comes after a convolution, where the convolution itself does not see to it."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Features = Float[Tensor, "batch _ _ _"]


def rectified(x: Features) -> Features:
    """ReLU, in place only where no gradient flows: autograd copies what it takes for a view."""
    return F.relu(x, inplace=not torch.is_grad_enabled())


def finished(answer: Features, added: Features | None, rectify: bool) -> Features:
    """The answer with what is added to it, rectified on request; may be overwritten."""
    if added is not None:
        answer = answer.add_(added)
    return rectified(answer) if rectify else answer
