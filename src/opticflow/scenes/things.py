"""The `things` world: rigid objects fly before a static world, seen by a moving camera (FlyingThings3D's kind)."""

from copy import copy
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from opticflow.errors import InputError
from opticflow.scenes import materials, pictures
from opticflow.scenes.rendered import RenderedPair
from opticflow.scenes.stock import Pool, load_background, load_photograph, picture_files
from opticflow.scenes.things_effects import draw_effects
from opticflow.scenes.things_knobs import ThingsKnobs
from opticflow.scenes.things_renderer import ThingsRenderer, ThingsSequence
from opticflow.scenes.things_world import compose
from opticflow.shapes import Frame


class Things:
    """The world. `world[index]` is always the same pair for the same seed, whoever asks."""

    def __init__(
        self,
        knobs: ThingsKnobs,
        *,
        seed: int,
        size: tuple[int, int] | None = None,
        backgrounds: Path | None = None,
        objects: Path | None = None,
        kind: str = "things",
    ) -> None:
        """Set up the world; pictures are made when first needed.

        Args:
            size: height and width of the frames, if other than the knobs'.
            backgrounds: a folder of pictures that replace the procedural photographs on the ground, the backdrop and
                the objects.
            objects: refused, since the objects are solids.
            kind: the world's name.
        """
        if objects is not None:
            raise InputError("things have solid objects, and --objects gives cut-outs; leave it out")
        if size is not None:
            knobs = replace(knobs, height=size[0], width=size[1])
        self.kind, self.knobs, self.seed, self.size = kind, knobs, seed, (knobs.height, knobs.width)
        self._pictures = _picture_pool(knobs, [seed, 21], backgrounds)
        self._materials = Pool(
            lambda rng, _: materials.surface(rng, knobs.texture_side, knobs.texture_side),
            knobs.material_pool,
            [seed, 22],
        )
        self._recent: tuple[tuple[int, ThingsKnobs], ThingsRenderer] | None = None

    def with_photographs(self, folder: Path) -> "Things":
        """The same world with photographs among the pictures of its backdrop, ground and objects."""
        world, side = copy(self), self.knobs.texture_side
        world._pictures = self._pictures.with_photographs(
            folder, lambda path: _square(load_photograph(path, side, side), side)
        )
        world._recent = None  # a scene with the other pictures
        return world

    def renderer(self, scene: int) -> ThingsRenderer:
        """What renders scene number `scene` at any time."""
        return self._composed(scene, self.knobs)

    def _composed(self, scene: int, knobs: ThingsKnobs) -> ThingsRenderer:
        """The renderer of a scene; the last one is kept."""
        if self._recent is None or self._recent[0] != (scene, knobs):
            rng = np.random.default_rng([self.seed, 20, scene])
            world = compose(rng, knobs, self._pictures, self._materials)
            renderer = ThingsRenderer(world, draw_effects(rng, knobs), knobs.softness, knobs.lens_blur)
            self._recent = (scene, knobs), renderer
        return self._recent[1]

    def item(self, index: int) -> ThingsSequence:
        """What a set stores: the whole scene, with both passes and both directions of time."""
        renderer = self.renderer(index)
        frames = tuple(renderer.frame(time) for time in range(self.knobs.frames))
        return ThingsSequence(frames, f"{self.kind}, seed {self.seed}, scene {index}")

    def __getitem__(self, index: int) -> RenderedPair:
        """A pair for training: of either pass and either direction of time, at random."""
        scene, first = self._place(index)
        rng = np.random.default_rng([self.seed, 20, index, 1])
        rendering = "final" if rng.random() < self.knobs.final_share else "clean"
        pair = self.renderer(scene).pair(first, rendering)
        pair = pair.reversed() if rng.random() < 0.5 else pair
        return replace(pair, name=f"{self.kind}, seed {self.seed}, index {index}")

    def clean(self, index: int) -> RenderedPair:
        """The same surfaces without light and without effects: the frames show exactly what moves."""
        scene, first = self._place(index)
        renderer = self._composed(scene, replace(self.knobs, lighting=False))
        return replace(renderer.pair(first), name=f"{self.kind}, seed {self.seed}, index {index}, unlit")

    def _place(self, index: int) -> tuple[int, int]:
        """Scene and first frame of pair number `index`."""
        scene, part = divmod(index, self.knobs.pairs_per_scene)
        return scene, part * max(self.knobs.frames - 1, 1) // self.knobs.pairs_per_scene

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_recent": None}  # a worker composes its own

    def stock(self) -> None:
        """Make all pictures now rather than when they are needed."""
        self._pictures.stock()
        self._materials.stock()


def _picture_pool(knobs: ThingsKnobs, seed: list[int], folder: Path | None) -> Pool[Frame]:
    """Square pictures, or squares from the user's."""
    side = knobs.texture_side
    if folder is None:
        return Pool(lambda rng, _: pictures.picture(rng, side, side), knobs.picture_pool, seed)
    files = picture_files(folder, "backgrounds")
    return Pool(lambda _, number: _square(load_background(files[number], side, side), side), len(files), seed)


def _square(picture: Frame, side: int) -> UInt8[np.ndarray, "{side} {side} 3"]:
    """The middle of a picture, as a square of this side."""
    height, width = picture.shape[:2]
    least = min(height, width)
    top, left = (height - least) // 2, (width - least) // 2
    return cv2.resize(picture[top : top + least, left : left + least], (side, side), interpolation=cv2.INTER_AREA)
