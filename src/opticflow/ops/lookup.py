"""RAFT's correlation lookup in several forms with equal values.

All points of a lookup's window have the same fractional offset. So the window follows from the products at (2 r + 2)^2
integer positions by one bilinear blend. These products are gathered from the volume of all pairs, or computed on
demand: 12 iterations read less than 2 % of all pairs, and from one iteration to the next most positions stay in the
window and are kept. On demand, time and memory are linear in the number of pixels.

The features get gradients, the coordinates do not (RAFT detaches them). The backward pass of a lookup only stores its
gradient; the gradient of the products is computed once for all lookups.
"""

from abc import ABC, abstractmethod
from types import ModuleType
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from opticflow.kernels import lookup_torch
from opticflow.kernels.dispatch import channels_last, has_numba, reference_is_asked, supports_triton
from opticflow.ops.correlation import CorrelationVolume, Features

Form = Literal["auto", "plain", "gather", "on-demand"]
LookedUp = Float[Tensor, "batch features height width"]

BLOCK = 4_000_000
"""Number of products whose gradient is held at once, so that it stays in a CPU's cache."""
BLOCK_ON_GPU = 64_000_000
"""The same for a GPU, where the launches of kernels dominate the time; 256 MB."""
VOLUMES = 6
"""Number of volumes that must fit into a GPU's free memory for the volume to be held: with its pyramid and the
gradients of both it takes nearly 3, and the network around it needs some as well."""


class GatheredCorrelation:
    """The values of a CorrelationVolume, read from the volume by whole windows instead of sample by sample."""

    def __init__(self, first: Features, second: Features, *, levels: int = 4, radius: int = 4) -> None:
        self.pyramid = CorrelationVolume(first, second, levels=levels, radius=radius).pyramid
        self._state = _Gathered([level.detach()[:, 0] for level in self.pyramid], radius)
        self._token = _Watch.apply(self._state, *self.pyramid)

    def lookup(self, coordinates: Float[Tensor, "batch 2 height width"]) -> LookedUp:
        """See CorrelationVolume.lookup."""
        return _Lookup.apply(self._token, coordinates.detach(), self._state)  # type: ignore[no-any-return]


class OnDemandCorrelation:
    """The values of a CorrelationVolume, computed when they are looked up, without holding the volume."""

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
        lasting = [channels_last(image) for image in (scaled, *images)]
        self._state = _OnDemand(lasting[0].detach().flatten(0, 2), [image.detach() for image in lasting[1:]], radius)
        self._token = _Watch.apply(self._state, *lasting)

    @property
    def pyramid(self) -> list[Float[Tensor, "positions 1 level_height level_width"]]:
        """The pyramid of a CorrelationVolume, computed on request, for inspection."""
        first, second = self._features
        return CorrelationVolume(first, second, levels=len(self._state.levels), radius=self._state.radius).pyramid

    def lookup(self, coordinates: Float[Tensor, "batch 2 height width"]) -> LookedUp:
        """See CorrelationVolume.lookup."""
        return _Lookup.apply(self._token, coordinates.detach(), self._state)  # type: ignore[no-any-return]


CorrelationLookup = CorrelationVolume | GatheredCorrelation | OnDemandCorrelation


def correlation_lookup(
    first: Features, second: Features, *, levels: int = 4, radius: int = 4, form: Form = "auto"
) -> CorrelationLookup:
    """Return an object whose `lookup(coordinates)` gives the correlations of features around points of the second
    frame.

    Args:
        first: features of the first frame.
        second: features of the second frame.
        levels: number of levels of the pyramid over the second frame.
        radius: radius of the window in each level.
        form: `plain`, all pairs at once, each value sampled, memory quadratic in the number of pixels; `gather`, all
            pairs at once, windows blended; `on-demand`, memory linear; `auto`, on-demand on a CPU with Numba;
            elsewhere gather, as long as the volume is small beside a GPU's free memory, or at most 1 GB on other
            devices.
    """
    forms = {"plain": CorrelationVolume, "gather": GatheredCorrelation, "on-demand": OnDemandCorrelation}
    chosen = form if form != "auto" else _choose(first, second)
    return forms[chosen](first, second, levels=levels, radius=radius)


def _choose(first: Tensor, second: Tensor) -> Form:
    if reference_is_asked() or torch.compiler.is_compiling():  # the states of the other forms cannot be traced
        return "plain"
    if first.is_meta or (first.device.type == "cpu" and has_numba()):  # meta tensors are measured as on a CPU
        return "on-demand"
    pairs = len(first) * first.shape[-2:].numel() * second.shape[-2:].numel()
    if first.device.type != "cuda":
        return "gather" if 4 * pairs <= 2**30 else "on-demand"
    # pooling counts entries in 32 bits
    return "gather" if pairs < 2**31 and VOLUMES * 4 * pairs <= _free_memory(first.device) else "on-demand"


def _free_memory(gpu: torch.device) -> int:
    """Return the free memory in bytes, including what PyTorch's allocator holds unused."""
    free, _ = torch.cuda.mem_get_info(gpu)
    return free + torch.cuda.memory_reserved(gpu) - torch.cuda.memory_allocated(gpu)


class _State(ABC):
    """The tensors that lookups read from, and their gradients during a backward pass."""

    def __init__(self, levels: list[Tensor], radius: int) -> None:
        self.levels, self.radius = levels, radius
        self.noted: list[tuple[Tensor, Tensor]] = []

    @property
    def window(self) -> int:
        """Number of values of a lookup in one level."""
        return (2 * self.radius + 1) ** 2

    def look_up(self, coordinates: Tensor) -> Tensor:
        batch, _, height, width = coordinates.shape
        places = self._flat(coordinates)
        found = places.new_empty(len(places), self.window * len(self.levels))
        for i, part in enumerate(found.split(self.window, 1)):
            self.read(i, places, part)
        return found.view(batch, height, width, -1).permute(0, 3, 1, 2)

    def note(self, coordinates: Tensor, gradient: Tensor) -> None:
        self.noted.append((self._flat(coordinates), self._flat(gradient)))

    def spread(self, i: int, block: slice, products: Tensor) -> None:
        """Add to the gradient of the products of some positions with level i."""
        for places, gradient in self.noted:
            part = gradient[block, i * self.window : (i + 1) * self.window]
            _kernels(products).spread(part, places[block], 0.5**i, products)

    def _flat(self, image: Tensor) -> Tensor:
        return channels_last(image.to(self.levels[0].dtype)).flatten(0, 2)

    @abstractmethod
    def read(self, i: int, places: Tensor, found: Tensor) -> None:
        """Write the values found in level i."""

    @abstractmethod
    def gradients(self) -> list[Tensor]:
        """Return the gradients of the features or the volume, summed over all lookups of this forward pass."""


class _Gathered(_State):
    def read(self, i: int, places: Tensor, found: Tensor) -> None:
        _kernels(self.levels[i]).gather(self.levels[i], places, 0.5**i, found)

    def gradients(self) -> list[Tensor]:
        answers = [torch.zeros_like(level) for level in self.levels]
        for i, products in enumerate(answers):
            self.spread(i, slice(None), products)
        return [products[:, None] for products in answers]


class _OnDemand(_State):
    """Features, and the products computed so far."""

    def __init__(self, first: Tensor, levels: list[Tensor], radius: int) -> None:
        super().__init__(levels, radius)
        side = 2 * radius + 2
        self.first = first
        self.corners = [torch.full((len(first), 2), -(2**30), dtype=torch.int32, device=first.device) for _ in levels]
        self.patches = [first.new_zeros(len(first), side, side) for _ in levels]

    def read(self, i: int, places: Tensor, found: Tensor) -> None:
        level = self.levels[i]
        _kernels(level).read(self.first, level, places, 0.5**i, self.corners[i], self.patches[i], found)

    def gradients(self) -> list[Tensor]:
        batch = len(self.levels[0])
        of_first, of_levels = torch.zeros_like(self.first), [torch.zeros_like(level) for level in self.levels]
        for b, own in enumerate(torch.arange(len(self.first)).chunk(batch)):
            for i, level in enumerate(self.levels):
                height, width, channels = level.shape[1:]
                features, target = level[b].view(-1, channels), of_levels[i][b].view(-1, channels)
                size = max(1, (BLOCK if features.device.type == "cpu" else BLOCK_ON_GPU) // len(features))
                for begin in range(int(own[0]), int(own[-1]) + 1, size):
                    block = slice(begin, min(begin + size, int(own[-1]) + 1))
                    products = self.first.new_zeros(block.stop - begin, height, width)
                    self.spread(i, block, products)
                    of_first[block].addmm_(products.flatten(1), features)
                    target.addmm_(products.flatten(1).T, self.first[block])
        return [of_first.view_as(self.levels[0]), *of_levels]


class _Watch(torch.autograd.Function):
    """Graph anchor: a scalar that every lookup depends on, so that autograd runs this backward pass last, when the
    gradients of all lookups are known."""

    @staticmethod
    def forward(ctx: Any, state: _State, *features: Tensor) -> Tensor:
        ctx.state = state
        return features[0].new_zeros(())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *_: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        try:
            return None, *ctx.state.gradients()
        finally:
            ctx.state.noted.clear()


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
        return gradients[0].new_zeros((), dtype=ctx.state.levels[0].dtype), None, None


def _kernels(tensor: Tensor) -> ModuleType:
    if supports_triton(tensor):
        from opticflow.kernels import lookup_triton

        return lookup_triton
    if tensor.device.type != "cpu" or not has_numba():
        return lookup_torch
    from opticflow.kernels import lookup_numba

    return lookup_numba
