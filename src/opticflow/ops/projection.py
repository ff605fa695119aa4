"""Forward projection of flow, for the initial flow of the next pair of a clip."""

import torch
import torch.nn.functional as F

from opticflow.ops.grid import pixel_grid
from opticflow.shapes import Flow


def project_forward(flow: Flow, *, cell: int = 8) -> Flow:
    """Move each flow vector to its target: an initial flow for the next pair, if the motion continues.

    RAFT, section 3.4 (warm start). Computed on cells of `cell` pixels, the resolution at which RAFT takes it: each
    cell's mean flow goes to the cell where it ends. Where several flows end in one cell the longest wins, as moving
    objects are mostly in front. Cells that no flow reaches take the mean of their neighbours. Flow that leaves the
    frame is dropped.
    """
    height, width = flow.shape[-2:]
    rows, columns = max(1, height // cell), max(1, width // cell)
    coarse = F.adaptive_avg_pool2d(flow, (rows, columns))  # B x 2 x rows x columns, in pixels of the frames
    cells = coarse.new_tensor([columns / width, rows / height])[:, None, None]
    column, row = (pixel_grid(rows, columns, like=flow) + coarse * cells).round().long().unbind(1)
    inside = (column >= 0) & (row >= 0) & (column < columns) & (row < rows)
    target = torch.where(inside, row * columns + column, rows * columns).flatten(1)  # one extra cell takes what leaves

    # where several cells end in one, the longest flow wins
    length = coarse.square().sum(1).flatten(1)
    longest = flow.new_full((len(flow), rows * columns + 1), -1).scatter_reduce(1, target, length, "amax")
    wins = (length >= longest.gather(1, target)).to(flow.dtype)[:, None]

    # sums of the winners and their number, for each cell
    landed = flow.new_zeros(len(flow), 3, rows * columns + 1)
    carried = torch.cat((coarse.flatten(2) * wins, wins), 1)
    landed.scatter_add_(2, target[:, None].expand_as(carried), carried)
    landed = landed[:, :, :-1].unflatten(2, (rows, columns))
    total, count = landed[:, :2], landed[:, 2:]
    filled = total / count.clamp(min=1)
    reached = count > 0
    reached |= ~reached.flatten(1).any(1)[:, None, None, None]  # where all has left the frame, nothing moves
    known = reached.to(flow.dtype)
    while not bool(known.all()):  # each round fills the neighbours of what is known
        near = F.avg_pool2d(torch.cat((filled * known, known), 1), 3, 1, 1, count_include_pad=True)
        grown = (near[:, 2:] > 0).to(flow.dtype)
        filled = torch.where(known > 0, filled, near[:, :2] / near[:, 2:].clamp(min=1e-6))
        known = grown
    return F.interpolate(filled, size=(height, width), mode="bilinear", align_corners=False)
