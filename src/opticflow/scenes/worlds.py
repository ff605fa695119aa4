"""The registry of worlds: look up and make a synthetic world by its name."""

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
"""Height and width of the frames of FlyingChairs and ChairsSDHom."""
THINGS_SIZE = (540, 960)
"""Height and width of the frames of FlyingThings3D."""
SMALLEST = 64
"""Smallest height and width of frames."""
LARGEST = 4096
"""Largest height and width of frames."""


@runtime_checkable
class World(Protocol):
    """Protocol of a world: a generator of an endless series of synthetic pairs with ground truth.

    For a given world, `world[index]` depends only on the seed and the index.
    """

    kind: str
    seed: int
    size: tuple[int, int]

    def __getitem__(self, index: int) -> RenderedPair: ...

    def item(self, index: int) -> Any:
        """Return item number `index`, a pair or a sequence, as the file layout of this world stores it on disk."""
        ...

    def prepare(self) -> None:
        """Make all pictures and objects now instead of on first use."""
        ...

    def with_photographs(self, folder: Path) -> "World":
        """Return a copy of this world in which photographs from a folder replace a share of the pictures."""
        ...

    def clean(self, index: int) -> RenderedPair:
        """Return the pair without effects that change the frames but not the flow, such as noise, light and blur."""
        ...


def chairs(
    seed: int = 0,
    *,
    size: tuple[int, int] = CHAIRS_SIZE,
    backgrounds: Path | None = None,
    objects: Path | None = None,
) -> Chairs:
    """Return the world that imitates FlyingChairs."""
    return Chairs("chairs", FLYING_CHAIRS, seed=seed, size=size, backgrounds=backgrounds, objects=objects)


def chairs_sdhom(
    seed: int = 0,
    *,
    size: tuple[int, int] = CHAIRS_SIZE,
    backgrounds: Path | None = None,
    objects: Path | None = None,
) -> Chairs:
    """Return the world that imitates ChairsSDHom: very small displacements, and homogeneous backgrounds in half of the
    pairs."""
    return Chairs("chairs-sdhom", CHAIRS_SDHOM, seed=seed, size=size, backgrounds=backgrounds, objects=objects)


WORLDS: dict[str, Callable[..., World]] = {
    "chairs": chairs,
    "chairs-sdhom": chairs_sdhom,
    **{kind: partial(Things, config, kind=kind) for kind, config in THINGS_WORLDS.items()},
    **{kind: partial(Mixed, config, kind=kind) for kind, config in MIXED_WORLDS.items()},
}
"""Functions that make the worlds, by name; each takes the arguments seed=, size=, backgrounds= and objects=."""

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
        size: height and width of the frames; None means the default size of the world.
        backgrounds: a folder of pictures that replace all procedural pictures.
        objects: a folder of RGBA cut-outs that replace the chairs; worlds with solid objects do not accept it.
        photographs: a folder of photographs that replace a share of the pictures, `textures.PHOTOGRAPH_SHARE`.

    Raises:
        InputError: the name is unknown, the seed is negative, the size is out of range, or the world does not accept
            `objects`.
        DatasetError: a folder does not exist or contains no pictures.
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
