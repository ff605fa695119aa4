"""The forward-backward check: which pixels of the first frame are occluded in the second."""

from opticflow.ops.warp import leaves_frame, warp
from opticflow.shapes import Flow, Mask


def occlusion(forward: Flow, backward: Flow, *, relative: float = 0.01, absolute: float = 0.5) -> Mask:
    """Return the mask of the pixels of the first frame whose flow is not reversed by the backward flow at their target.

    A pixel x is occluded where |f(x) + b(x + f(x))|^2 > relative * (|f(x)|^2 + |b(x + f(x))|^2) + absolute, or where
    its target lies outside the frame (Sundaram, Brox, Keutzer, "Dense point trajectories by GPU-accelerated large
    displacement optical flow", ECCV 2010, eq. 5; the constants are theirs).

    Args:
        forward: flow from the first frame to the second.
        backward: flow from the second frame to the first, given at the pixels of the second.
        relative: tolerance as a share of the squared lengths.
        absolute: tolerance in squared pixels.
    """
    returned = warp(backward, forward)
    error = (forward + returned).square().sum(1)
    tolerated = relative * (forward.square().sum(1) + returned.square().sum(1)) + absolute
    return (error > tolerated) | leaves_frame(forward)
