"""RAFT's correlation lookup without the volume: products are computed where they are looked at.

Of all pairs of features, 12 iterations look at less than 2 %. A lookup's window shares its fractional offset, so that
(2 r + 2)^2 products at integer places and one bilinear blend give it; from one iteration to the next most of these
places stay in view and are kept. Time and memory are linear in the number of pixels.
"""

from types import ModuleType
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from opticflow.ops import lookup_torch
from opticflow.ops.correlation import CorrelationVolume, Features
from opticflow.ops.kernels import numba_is_there

Form = Literal["auto", "plain", "on-demand"]

BLOCK = 4_000_000
"""Products whose gradient is held at once, so that it stays in the cache of a CPU."""


class OnDemandCorrelation:
    """The values of a CorrelationVolume, without the volume.

    Gradients reach the features; the coordinates get none (RAFT detaches them). A backward pass only notes each
    lookup's gradient, and the gradient of all products is put together block by block, once for all lookups.
    """

    def __init__(self, first: Features, second: Features, *, levels: int = 4, radius: int = 4) -> None:
        kind = torch.promote_types(first.dtype, torch.float32)
        self._features = first.detach(), second.detach()
        level = second.to(kind)
        # averaging features equals averaging their products, which are linear in them
        scaled = first.to(kind) / first.shape[1] ** 0.5
        images = [level]
        for _ in range(levels - 1):
            level = F.avg_pool2d(level, [min(2, side) for side in level.shape[-2:]])
            images.append(level)
        lasting = [_channels_last(image) for image in (scaled, *images)]
        self._state = _State(lasting[0].detach().flatten(0, 2), [image.detach() for image in lasting[1:]], radius)
        self._token = _Watch.apply(self._state, *lasting)

    @property
    def pyramid(self) -> list[Float[Tensor, "positions 1 level_height level_width"]]:
        """What CorrelationVolume.pyramid holds, computed now: for looking inside."""
        first, second = self._features
        return CorrelationVolume(first, second, levels=len(self._state.levels), radius=self._state.radius).pyramid

    def lookup(
        self, coordinates: Float[Tensor, "batch 2 height width"]
    ) -> Float[Tensor, "batch features height width"]:
        """See CorrelationVolume.lookup."""
        return _Lookup.apply(self._token, coordinates.detach(), self._state)  # type: ignore[no-any-return]


CorrelationLookup = CorrelationVolume | OnDemandCorrelation


def correlation_lookup(
    first: Features, second: Features, *, levels: int = 4, radius: int = 4, form: Form = "auto"
) -> CorrelationLookup:
    """An object whose `lookup(coordinates)` gives the likeness of features around points of the second frame.

    Args:
        first: features of the first frame.
        second: features of the second frame.
        levels: of the pyramid over the second frame.
        radius: of the window in each level.
        form: `plain`, all pairs at once, memory quadratic in the number of pixels; `on-demand`, linear; `auto`,
            on-demand on a CPU with Numba; elsewhere plain as long as the volume is no larger than 1 GB.
    """
    chosen = form if form != "auto" else _choose(first, second)
    lookup = CorrelationVolume if chosen == "plain" else OnDemandCorrelation
    return lookup(first, second, levels=levels, radius=radius)


def _choose(first: Tensor, second: Tensor) -> Form:
    if first.is_meta or torch.compiler.is_compiling():  # the compiled loops cannot be traced
        return "plain"
    if first.device.type == "cpu" and numba_is_there():
        return "on-demand"
    pairs = len(first) * first.shape[-2:].numel() * second.shape[-2:].numel()
    return "plain" if 4 * pairs <= 2**30 else "on-demand"


class _State:
    """Features, the products found so far, and during a backward pass the gradients of the lookups."""

    def __init__(self, first: Tensor, levels: list[Tensor], radius: int) -> None:
        side = 2 * radius + 2
        self.first, self.levels, self.radius = first, levels, radius
        self.corners = [torch.full((len(first), 2), -(2**30), dtype=torch.int32, device=first.device) for _ in levels]
        self.patches = [first.new_zeros(len(first), side, side) for _ in levels]
        self.noted: list[tuple[Tensor, Tensor]] = []

    def look_up(self, coordinates: Tensor) -> Tensor:
        batch, _, height, width = coordinates.shape
        values = (2 * self.radius + 1) ** 2
        places = _channels_last(coordinates.to(self.first.dtype)).flatten(0, 2)
        found = self.first.new_empty(len(places), values * len(self.levels))
        parts = found.split(values, 1)
        for i, level in enumerate(self.levels):
            _kernels(level).read(self.first, level, places, 0.5**i, self.corners[i], self.patches[i], parts[i])
        return found.view(batch, height, width, -1).permute(0, 3, 1, 2)

    def note(self, coordinates: Tensor, gradient: Tensor) -> None:
        places, gradient = (_channels_last(tensor.to(self.first.dtype)) for tensor in (coordinates, gradient))
        self.noted.append((places.flatten(0, 2), gradient.flatten(0, 2)))

    def gradients(self) -> list[Tensor]:
        """Of the features of the first frame and of each level, from all lookups noted."""
        noted, self.noted = self.noted, []
        values = (2 * self.radius + 1) ** 2
        batch = len(self.levels[0])
        of_first, of_levels = torch.zeros_like(self.first), [torch.zeros_like(level) for level in self.levels]
        for b, own in enumerate(torch.arange(len(self.first)).chunk(batch)):
            for i, level in enumerate(self.levels):
                height, width, channels = level.shape[1:]
                features, target = level[b].view(-1, channels), of_levels[i][b].view(-1, channels)
                size = max(1, BLOCK // len(features))
                for begin in range(int(own[0]), int(own[-1]) + 1, size):
                    block = slice(begin, min(begin + size, int(own[-1]) + 1))
                    products = self.first.new_zeros(block.stop - begin, height, width)
                    for places, gradient in noted:
                        part = gradient[block, i * values : (i + 1) * values]
                        _kernels(level).spread(part, places[block], 0.5**i, products)
                    of_first[block].addmm_(products.flatten(1), features)
                    target.addmm_(products.flatten(1).T, self.first[block])
        return [of_first.view_as(self.levels[0]), *of_levels]


class _Watch(torch.autograd.Function):
    """From features to a number that every lookup takes, so that its own backward pass comes after all of theirs."""

    @staticmethod
    def forward(ctx: Any, state: _State, *features: Tensor) -> Tensor:
        ctx.state = state
        return features[0].new_zeros(())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *_: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return None, *ctx.state.gradients()


class _Lookup(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, token: Tensor, coordinates: Tensor, state: _State) -> Tensor:
        ctx.save_for_backward(coordinates)
        ctx.state = state
        return state.look_up(coordinates)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.state.note(ctx.saved_tensors[0], gradients[0])
        return gradients[0].new_zeros((), dtype=ctx.state.first.dtype), None, None


def _channels_last(image: Tensor) -> Tensor:
    return image.permute(0, 2, 3, 1).contiguous()


def _kernels(tensor: Tensor) -> ModuleType:
    if tensor.device.type != "cpu" or not numba_is_there():
        return lookup_torch
    from opticflow.ops import lookup_numba

    return lookup_numba
