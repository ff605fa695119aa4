"""Synthetic worlds like FlyingChairs and ChairsSDHom: chairs and a background that move by similarity transforms.

Dosovitskiy et al., "FlowNet: Learning optical flow with convolutional networks", ICCV 2015; Ilg et al., "FlowNet 2.0",
CVPR 2017, section 3.2. The original generator is not public. Published parameters are used where they are known; the
others are set so that the displacements match those of nine real samples (see docs/worlds.md).
"""

from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from opticflow.scenes import materials, noise, pictures
from opticflow.scenes.chair_models import chair_sprite
from opticflow.scenes.layers import Layer, Texture, render
from opticflow.scenes.motion import HeavyTailed, RandomSimilarity, placement
from opticflow.scenes.rendered import RenderedPair
from opticflow.scenes.textures import TexturePool, load_background, load_cutout, load_photograph, opaque, picture_files

SPRITE_SIZE = 400
"""Longer side of a stored cut-out, in texels. Few objects in FlyingChairs are larger than this."""


def length_unit(size: tuple[int, int]) -> float:
    """Return the factor that converts lengths for frames of 512x384 to frames of size (height, width)."""
    return min(size[0] / 384, size[1] / 512)


@dataclass(frozen=True)
class ChairsConfig:
    """Parameters of the appearance and motion in a world of flying chairs.

    Lengths are in pixels for frames of 512x384; they scale with the frame size.
    """

    background_motion: RandomSimilarity
    """Distribution of the motion of the background."""
    object_motion: RandomSimilarity
    """Distribution of the motion of an object relative to the background."""
    objects: tuple[int, int] = (16, 24)
    """Smallest and largest number of objects per pair, both inclusive; as published."""
    object_size: tuple[float, float, float, float] = (200, 200, 50, 640)
    """Longer side of an object in pixels: mean, standard deviation, minimum and maximum; as published."""
    reach: float = 2.8
    """Ratio of the sides of the rectangle that contains the centres of all objects to the sides of the frame. It is
    larger than 1, so that some objects are only partly visible."""
    plain_share: float = 0.0
    """Probability that the background is a single colour or a gradient."""
    pictures: int = 240
    """Number of background pictures; each allows thousands of different crops. FlyingChairs had 964."""
    sprites: int = 800
    """Number of chair cut-outs; FlyingChairs had 809 chairs, each seen from 62 directions."""
    tint: float = 0.35
    """Standard deviation of the brightness gain of objects and backgrounds, in octaves (powers of 2)."""


FLYING_CHAIRS = ChairsConfig(
    background_motion=RandomSimilarity(
        translation=HeavyTailed(3, 0, 1.25, -40, 40, 1.0),
        rotation=HeavyTailed(2, 0, 1.3, -10, 10, 0.3),
        scale=HeavyTailed(2, 1, 0.1, 0.93, 1.07, 0.6),
    ),
    object_motion=RandomSimilarity(
        translation=HeavyTailed(3, 0, 1.7, -75, 75, 1.0),
        rotation=HeavyTailed(2, 0, 2.3, -30, 30, 0.7),
        scale=HeavyTailed(2, 1, 0.18, 0.8, 1.2, 0.7),
    ),
)

CHAIRS_SDHOM = replace(
    FLYING_CHAIRS,
    background_motion=RandomSimilarity(
        translation=HeavyTailed(3, 0, 0.55, -6, 6, 0.8),
        rotation=HeavyTailed(2, 0, 0.25, -0.6, 0.6, 0.2),
        scale=HeavyTailed(1, 1, 0.002, 0.995, 1.005, 0.3),
    ),
    object_motion=RandomSimilarity(
        translation=HeavyTailed(3, 0, 0.8, -10, 10, 0.8),
        rotation=HeavyTailed(2, 0, 0.6, -3, 3, 0.3),
        scale=HeavyTailed(1, 1, 0.008, 0.97, 1.03, 0.3),
    ),
    plain_share=0.5,
)


class Chairs:
    """A world of flying chairs. `world[index]` depends only on the seed, the index and the parameters of the world."""

    def __init__(
        self,
        kind: str,
        config: ChairsConfig,
        *,
        seed: int,
        size: tuple[int, int],
        backgrounds: Path | None = None,
        objects: Path | None = None,
    ) -> None:
        """Set up the world; pictures and objects are made on first use.

        Args:
            size: height and width of the frames.
            backgrounds: a folder of pictures that replace the procedural ones.
            objects: a folder of RGBA cut-outs that replace the chairs.
        """
        self.kind, self.config, self.seed, self.size = kind, config, seed, size
        self._unit = length_unit(size)
        self._pictures = background_pool(config.pictures, [seed, 1], size, backgrounds)
        self._sprites = object_pool(config.sprites, [seed, 2], objects)

    def with_photographs(self, folder: Path) -> "Chairs":
        """Return a copy of this world with photographs among its background pictures."""
        world = copy(self)
        world._pictures = self._pictures.with_photographs(
            folder, lambda path: opaque(load_photograph(path, *self.size))
        )
        return world

    def __getitem__(self, index: int) -> RenderedPair:
        height, width = self.size
        rng = np.random.default_rng([self.seed, 0, index])
        background = self._background(rng)
        layers = [background]
        carried = background.second @ np.linalg.inv(background.first)  # 3 x 3, between the frames
        for _ in range(int(rng.integers(self.config.objects[0], self.config.objects[1] + 1))):
            layer = self._object(rng, carried)
            if layer is not None:
                layers.append(layer)
        return render(layers, height, width, name=f"{self.kind}, seed {self.seed}, index {index}")

    def item(self, index: int) -> RenderedPair:
        """Return pair number `index`: a data set stores one pair as one item."""
        return self[index]

    def clean(self, index: int) -> RenderedPair:
        """Return pair number `index`, unchanged: this world applies no effects to the frames."""
        return self[index]

    def prepare(self) -> None:
        """Make all pictures and objects now instead of on first use."""
        self._pictures.prepare()
        self._sprites.prepare()

    def _background(self, rng: np.random.Generator) -> Layer:
        height, width = self.size
        if rng.random() < self.config.plain_share:
            texture = opaque(materials.plain(rng, height, width))
        else:
            texture = self._pictures.draw(rng)
        matrix = cut(rng, texture, height, width)
        motion = self.config.background_motion.draw(rng, ((width - 1) / 2, (height - 1) / 2), unit=self._unit)
        return Layer(texture, matrix, motion @ matrix, endless=True, gain=self._gain(rng))

    def _object(self, rng: np.random.Generator, carried: np.ndarray) -> Layer | None:
        """Return a random object, or None if it is visible in neither frame."""
        height, width = self.size
        mean, deviation, low, high = self.config.object_size
        size = self._unit * float(np.clip(rng.normal(mean, deviation), low, high))
        x = width * (0.5 + self.config.reach * (rng.random() - 0.5))
        y = height * (0.5 + self.config.reach * (rng.random() - 0.5))
        number, mirrored, gain = int(rng.integers(len(self._sprites))), rng.random() < 0.5, self._gain(rng)
        # the object's own motion is relative to the background
        motion = carried @ self.config.object_motion.draw(rng, (x, y), unit=self._unit)
        seen = [(x, y), tuple((motion @ (x, y, 1))[:2])]
        # the object is invisible if its centre is outside both frames by more than half of its longer side
        if not any(-size < 2 * a < 2 * width + size and -size < 2 * b < 2 * height + size for a, b in seen):
            return None
        texture, scale = resized(self._sprites[number], size)
        rows, columns = texture.shape[:2]
        first = placement((x, y), (columns, rows), scale, mirrored)
        return Layer(texture, first, motion @ first, gain=gain)

    def _gain(self, rng: np.random.Generator) -> np.ndarray:
        octaves = np.clip(rng.normal(-0.1, self.config.tint), -1, 0.25)  # a higher gain would saturate the colours
        return (2 ** (octaves + rng.normal(0, 0.1, 3))).astype(np.float32)


def background_pool(count: int, seed: list[int], size: tuple[int, int], folder: Path | None) -> TexturePool[Texture]:
    """Return a pool of procedural background pictures, twice the frame size, or of the pictures in `folder`."""
    height, width = size
    if folder is None:
        return TexturePool(lambda rng, _: opaque(pictures.picture(rng, 2 * height, 2 * width)), count, seed)
    files = picture_files(folder, "backgrounds")
    return TexturePool(lambda _, number: opaque(load_background(files[number], height, width)), len(files), seed)


def object_pool(count: int, seed: list[int], folder: Path | None) -> TexturePool[Texture]:
    """Return a pool of rendered chair cut-outs, or of the cut-outs in `folder`."""
    if folder is None:
        return TexturePool(lambda rng, _: chair_sprite(rng, SPRITE_SIZE), count, seed)
    files = picture_files(folder, "objects")
    return TexturePool(lambda _, number: load_cutout(files[number], SPRITE_SIZE), len(files), seed)


def cut(rng: np.random.Generator, texture: Texture, height: int, width: int) -> np.ndarray:
    """Return a homography that maps a random crop of a texture to the frame, at the original scale and mirrored with
    probability 1/2."""
    rows, columns = texture.shape[:2]
    left, top = rng.uniform(0, max(columns - width, 0)), rng.uniform(0, max(rows - height, 0))
    matrix = np.array([[1.0, 0.0, -left], [0.0, 1.0, -top], [0.0, 0.0, 1.0]])
    # mirrored about the middle of the frame
    if rng.random() < 0.5:
        matrix = np.array([[-1.0, 0.0, width - 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]) @ matrix
    return matrix


def resized(texture: Texture, size: float) -> tuple[Texture, float]:
    """Prepare a cut-out to be drawn with a longer side of `size` pixels.

    If the cut-out must shrink, it is reduced here by area averaging, which avoids aliasing, and band-limited. If it
    must grow, it is returned unchanged.

    Returns:
        the texture, and the scale factor at which it must still be drawn.
    """
    longer = max(texture.shape[:2])
    factor = size / longer
    if factor >= 1:
        return texture, factor
    small = cv2.resize(texture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    # area averaging leaves sharp edges, so they are blurred like those of all other pictures
    small = cv2.GaussianBlur(small, (0, 0), noise.SOFTNESS, borderType=cv2.BORDER_CONSTANT)
    return small, 1.0
