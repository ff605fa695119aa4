"""The points of Winograd's algorithm, and the transform of weights to them; see `winograd`."""

import torch
from jaxtyping import Float
from torch import Tensor

Kernel = Float[Tensor, "points inputs outputs"]
"""Weights at the points of Winograd's algorithm: 36 points for a 3 x 3 kernel, 8 for five weights in a line."""

TILE = 4
"""Side in pixels of the tile of the result that is computed together."""
# G of Lavin and Gray, section 4: the weights as a polynomial at 0, 1, -1, 2, -2 and infinity, each row scaled
_TO_POINTS = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
# the same for five weights, at 0, 1, -1, 2, -2, 1/2, -1/2 and infinity
_LINE_TO_POINTS = (
    (1, 0, 0, 0, 0),
    *(
        tuple(scale / 90 * point**power for power in range(5))
        for scale, point in ((-20, 1), (-20, -1), (1, 2), (1, -2), (64, 1 / 2), (64, -1 / 2))
    ),
    (0, 0, 0, 0, 1),
)


def winograd_kernel(weight: Float[Tensor, "outputs inputs _ _"]) -> Kernel:
    """Transform weights to the points; the result can be used for any number of convolutions.

    Args:
        weight: weights of a 3 x 3, 1 x 5 or 5 x 1 kernel.
    """
    outputs, inputs = weight.shape[:2]
    square = weight.shape[2:] == (3, 3)
    points = torch.tensor(_TO_POINTS if square else _LINE_TO_POINTS, dtype=weight.dtype)  # points x weights
    if square:
        # a transform along both axes is the Kronecker product of two along one: 36 x 9
        points = torch.kron(points, points)
    return (points @ weight.permute(2, 3, 1, 0).reshape(points.shape[1], -1)).view(-1, inputs, outputs)
