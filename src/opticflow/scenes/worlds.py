"""The worlds by name."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from opticflow.errors import InputError
from opticflow.scenes.chairs import CHAIRS_SDHOM, FLYING_CHAIRS, Chairs
from opticflow.scenes.mixed import Mixed
from opticflow.scenes.mixed_config import MIXED_WORLDS
from opticflow.scenes.rendered import RenderedPair
from opticflow.scenes.things import Things
from opticflow.scenes.things_config import THINGS_WORLDS

CHAIRS_SIZE = (384, 512)
"""Height and width of FlyingChairs and ChairsSDHom."""
THINGS_SIZE = (540, 960)
"""Height and width of FlyingThings3D's frames."""
SMALLEST = 64
LARGEST = 4096


@runtime_checkable
class World(Protocol):
    """The protocol of a world: an endless series of pairs. `world[index]` depends on the world's seed and the index
    alone."""

    kind: str
    seed: int
    size: tuple[int, int]

    def __getitem__(self, index: int) -> RenderedPair: ...

    def item(self, index: int) -> Any:
        """Return what the world's layout on disk stores as one item: a pair or a sequence."""
        ...

    def prepare(self) -> None:
        """Make all pictures and objects now instead of on first use."""
        ...

    def with_photographs(self, folder: Path) -> "World":
        """Return a copy of this world with a folder's photographs as a share of its pictures."""
        ...

    def clean(self, index: int) -> RenderedPair:
        """Return the pair without anything that the frames show but the flow does not: noise, light, blur."""
        ...


def chairs(
    seed: int = 0,
    *,
    size: tuple[int, int] = CHAIRS_SIZE,
    backgrounds: Path | None = None,
    objects: Path | None = None,
) -> Chairs:
    """Return the world of FlyingChairs."""
    return Chairs("chairs", FLYING_CHAIRS, seed=seed, size=size, backgrounds=backgrounds, objects=objects)


def chairs_sdhom(
    seed: int = 0,
    *,
    size: tuple[int, int] = CHAIRS_SIZE,
    backgrounds: Path | None = None,
    objects: Path | None = None,
) -> Chairs:
    """Return the world of ChairsSDHom: very small displacements and partly homogeneous backgrounds."""
    return Chairs("chairs-sdhom", CHAIRS_SDHOM, seed=seed, size=size, backgrounds=backgrounds, objects=objects)


WORLDS: dict[str, Callable[..., World]] = {
    "chairs": chairs,
    "chairs-sdhom": chairs_sdhom,
    **{kind: partial(Things, config, kind=kind) for kind, config in THINGS_WORLDS.items()},
    **{kind: partial(Mixed, config, kind=kind) for kind, config in MIXED_WORLDS.items()},
}
"""Functions of (seed=, size=, backgrounds=, objects=) that make each world, by name."""

SIZES = {**dict.fromkeys(WORLDS, CHAIRS_SIZE), "things": THINGS_SIZE}
"""Default height and width of the frames of each world."""


def make_world(
    kind: str,
    seed: int,
    size: tuple[int, int] | None = None,
    *,
    backgrounds: Path | None = None,
    objects: Path | None = None,
    photographs: Path | None = None,
) -> World:
    """Make the world with this name.

    Args:
        size: height and width of the frames; the world's own if not given.
        backgrounds: a folder of pictures in place of all procedural ones.
        objects: a folder of RGBA cut-outs in place of the chairs.
        photographs: a folder of pictures beside the procedural ones, `textures.PHOTOGRAPH_SHARE` of all.

    Raises:
        InputError: an unknown name, a negative seed or a size out of range.
        DatasetError: a folder without pictures.
    """
    if kind not in WORLDS:
        raise InputError(f"there is no world {kind!r}; wanted {', '.join(WORLDS)}")
    if seed < 0:
        raise InputError(f"the seed is {seed}; wanted 0 or more")
    size = size or SIZES[kind]
    if not all(SMALLEST <= side <= LARGEST for side in size):
        raise InputError(f"frames of {size[1]}x{size[0]}; wanted {SMALLEST} to {LARGEST} pixels on each side")
    world = WORLDS[kind](seed=seed, size=size, backgrounds=backgrounds, objects=objects)
    return world if photographs is None else world.with_photographs(photographs)
