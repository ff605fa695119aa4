"""The `things` world: rigid objects move in front of a static scene, seen by a moving camera (as in FlyingThings3D)."""

from copy import copy
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from opticflow.errors import InputError
from opticflow.scenes import materials, pictures
from opticflow.scenes.rendered import RenderedPair
from opticflow.scenes.textures import TexturePool, load_background, load_photograph, picture_files
from opticflow.scenes.things_config import ThingsConfig
from opticflow.scenes.things_effects import draw_effects
from opticflow.scenes.things_renderer import ThingsRenderer, ThingsSequence
from opticflow.scenes.things_scene import compose_scene
from opticflow.shapes import Frame


class Things:
    """A world of rigid objects in front of a static scene. `world[index]` depends only on the seed and the index."""

    def __init__(
        self,
        config: ThingsConfig,
        *,
        seed: int,
        size: tuple[int, int] | None = None,
        backgrounds: Path | None = None,
        objects: Path | None = None,
        kind: str = "things",
    ) -> None:
        """Set up the world. Pictures are made on first use.

        Args:
            size: height and width of the frames; None means those of the config.
            backgrounds: a folder of pictures that replace the procedural photographs on the ground, the backdrop and
                the objects.
            objects: must be None, since the objects are solids and not cut-outs.
            kind: name of the world.
        """
        if objects is not None:
            raise InputError("things have solid objects, and --objects gives cut-outs; leave it out")
        if size is not None:
            config = replace(config, height=size[0], width=size[1])
        self.kind, self.config, self.seed, self.size = kind, config, seed, (config.height, config.width)
        self._pictures = _picture_pool(config, [seed, 21], backgrounds)
        self._materials = TexturePool(
            lambda rng, _: materials.surface(rng, config.texture_side, config.texture_side),
            config.material_pool,
            [seed, 22],
        )
        self._recent: tuple[tuple[int, ThingsConfig], ThingsRenderer] | None = None

    def with_photographs(self, folder: Path) -> "Things":
        """Return a copy of this world in which photographs replace a share of the pictures, not of the materials."""
        world, side = copy(self), self.config.texture_side
        world._pictures = self._pictures.with_photographs(
            folder, lambda path: _square(load_photograph(path, side, side), side)
        )
        world._recent = None  # the cached renderer has the old pictures
        return world

    def renderer(self, scene: int) -> ThingsRenderer:
        """Return the renderer of scene number `scene`."""
        return self._composed(scene, self.config)

    def _composed(self, scene: int, config: ThingsConfig) -> ThingsRenderer:
        """Return the renderer of a scene; the most recent renderer is cached."""
        if self._recent is None or self._recent[0] != (scene, config):
            rng = np.random.default_rng([self.seed, 20, scene])
            world = compose_scene(rng, config, self._pictures, self._materials)
            renderer = ThingsRenderer(world, draw_effects(rng, config), config.softness, config.lens_blur)
            self._recent = (scene, config), renderer
        return self._recent[1]

    def item(self, index: int) -> ThingsSequence:
        """Return all frames of scene number `index`, with both passes and the flow in both directions of time: one item
        of a stored data set."""
        renderer = self.renderer(index)
        frames = tuple(renderer.frame(time) for time in range(self.config.frames))
        return ThingsSequence(frames, f"{self.kind}, seed {self.seed}, scene {index}")

    def __getitem__(self, index: int) -> RenderedPair:
        """Return a training pair, from a random pass and in a random direction of time."""
        scene, first = self._place(index)
        rng = np.random.default_rng([self.seed, 20, index, 1])
        rendering = "final" if rng.random() < self.config.final_share else "clean"
        pair = self.renderer(scene).pair(first, rendering)
        pair = pair.reversed() if rng.random() < 0.5 else pair
        return replace(pair, name=f"{self.kind}, seed {self.seed}, index {index}")

    def clean(self, index: int) -> RenderedPair:
        """Return the pair without light and camera effects: a surface point has the same colour in both frames."""
        scene, first = self._place(index)
        renderer = self._composed(scene, replace(self.config, lighting=False))
        return replace(renderer.pair(first), name=f"{self.kind}, seed {self.seed}, index {index}, unlit")

    def _place(self, index: int) -> tuple[int, int]:
        """Return the scene number and the index of the first frame of pair number `index`."""
        scene, part = divmod(index, self.config.pairs_per_scene)
        return scene, part * max(self.config.frames - 1, 1) // self.config.pairs_per_scene

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_recent": None}  # each worker composes its own scenes

    def prepare(self) -> None:
        """Make all pictures now instead of on first use."""
        self._pictures.prepare()
        self._materials.prepare()


def _picture_pool(config: ThingsConfig, seed: list[int], folder: Path | None) -> TexturePool[Frame]:
    """Return a pool of square pictures, procedural or cropped from the pictures in a folder."""
    side = config.texture_side
    if folder is None:
        return TexturePool(lambda rng, _: pictures.picture(rng, side, side), config.picture_pool, seed)
    files = picture_files(folder, "backgrounds")
    return TexturePool(lambda _, number: _square(load_background(files[number], side, side), side), len(files), seed)


def _square(picture: Frame, side: int) -> UInt8[np.ndarray, "{side} {side} 3"]:
    """Crop the central square of a picture and resize it to `side` pixels."""
    height, width = picture.shape[:2]
    least = min(height, width)
    top, left = (height - least) // 2, (width - least) // 2
    return cv2.resize(picture[top : top + least, left : left + least], (side, side), interpolation=cv2.INTER_AREA)
