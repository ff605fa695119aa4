"""Small worlds: few pictures and sprites, so that tests start fast."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from opticflow.scenes.chairs import CHAIRS_SDHOM, FLYING_CHAIRS, Chairs
from opticflow.scenes.mixed import Mixed
from opticflow.scenes.mixed_config import MIXED_WORLDS
from opticflow.scenes.things import Things
from opticflow.scenes.things_config import THINGS_WORLDS
from opticflow.scenes.worlds import World

SMALL = (144, 192)


def _preset(kind: str) -> Callable[[int, tuple[int, int]], Mixed]:
    """A world of the family of `mixed`."""

    def world(seed: int, size: tuple[int, int]) -> Mixed:
        return Mixed(replace(MIXED_WORLDS[kind], pictures=3, surfaces=3, chairs=4), seed=seed, size=size, kind=kind)

    return world


def _chairs(seed: int, size: tuple[int, int]) -> Chairs:
    return Chairs("chairs", replace(FLYING_CHAIRS, pictures=3, sprites=6), seed=seed, size=size)


def _sdhom(seed: int, size: tuple[int, int]) -> Chairs:
    return Chairs("chairs-sdhom", replace(CHAIRS_SDHOM, pictures=3, sprites=6), seed=seed, size=size)


def _solid(kind: str) -> Callable[[int, tuple[int, int]], Things]:
    """A world of the family of `things`."""

    def world(seed: int, size: tuple[int, int]) -> Things:
        config = replace(THINGS_WORLDS[kind], picture_pool=3, material_pool=5, texture_side=256, statics=40)
        return Things(config, seed=seed, size=size, kind=kind)

    return world


SMALL_WORLDS = {
    "chairs": _chairs,
    "chairs-sdhom": _sdhom,
    **{kind: _preset(kind) for kind in MIXED_WORLDS},
    **{kind: _solid(kind) for kind in THINGS_WORLDS},
}


@pytest.fixture
def small_world() -> Callable[..., World]:
    """A function from the name of a world, a seed and a size to a world with few pictures and objects."""
    return lambda kind, seed=0, size=SMALL: SMALL_WORLDS[kind](seed, size)
