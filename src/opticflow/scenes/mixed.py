"""The `mixed` worlds: layered scenes and rigid scenes with wide distributions, for training robust weights.

The layered scenes follow AutoFlow (Sun et al., CVPR 2021): layers are composited from back to front, and each layer is
a random picture in a random shape with its own motion. This module adds non-rigid deformations, thin structures, and
rigid scenes under camera motion.
"""

from copy import copy
from pathlib import Path

import cv2
import numpy as np

from opticflow.scenes import materials, noise, rigid
from opticflow.scenes.chairs import background_pool, cut, object_pool, resized
from opticflow.scenes.effects import apply_effects
from opticflow.scenes.layers import Deformation, Homography, Layer, Texture, render, settled
from opticflow.scenes.mixed_config import MixedConfig, Range
from opticflow.scenes.motion import placement, similarity
from opticflow.scenes.rendered import RenderedPair
from opticflow.scenes.stencils import STENCILS
from opticflow.scenes.textures import TexturePool, load_photograph, opaque

LATTICE_CELLS = 24
"""Number of cells along the longer side of a deformation lattice."""


class Mixed:
    """A world of the `mixed` family. `world[index]` depends only on the seed, the index and the parameters of the
    world."""

    def __init__(
        self,
        config: MixedConfig,
        *,
        seed: int,
        size: tuple[int, int],
        backgrounds: Path | None = None,
        objects: Path | None = None,
        kind: str = "mixed",
    ) -> None:
        """Set up the world; pictures and objects are made on first use.

        Args:
            size: height and width of the frames.
            backgrounds: a folder of pictures that replace the procedural ones.
            objects: a folder of RGBA cut-outs that replace the chairs.
            kind: name of the world.
        """
        self.kind, self.config, self.seed, self.size = kind, config, seed, size
        self._pictures = background_pool(config.pictures, [seed, 11], size, backgrounds)
        self._chairs = object_pool(config.chairs, [seed, 12], objects)
        self._surfaces = TexturePool(
            lambda rng, _: rigid.atlas(materials.surface(rng, rigid.ATLAS_SIZE, rigid.ATLAS_SIZE)),
            config.surfaces,
            [seed, 13],
        )

    def with_photographs(self, folder: Path) -> "Mixed":
        """Return a copy of this world with photographs among the pictures of its backgrounds and shapes."""
        world = copy(self)
        world._pictures = self._pictures.with_photographs(
            folder, lambda path: opaque(load_photograph(path, *self.size))
        )
        return world

    def __getitem__(self, index: int) -> RenderedPair:
        pair = self._scene(index, self.config)
        # the effects use a separate random generator, so that the scene is the same with and without them
        return apply_effects(np.random.default_rng([self.seed, 10, index, 1]), pair, self.config.effects)

    def item(self, index: int) -> RenderedPair:
        """Return pair number `index`: a data set stores one pair as one item."""
        return self[index]

    def clean(self, index: int) -> RenderedPair:
        """Return the pair without effects and transparency, so that the frames differ only by motion."""
        return self._scene(index, self.config.clean())

    def _scene(self, index: int, config: MixedConfig) -> RenderedPair:
        height, width = self.size
        rng = np.random.default_rng([self.seed, 10, index])
        displacement = (
            0.0 if rng.random() < config.still_background_share else _log_uniform(rng, config.background_displacement)
        )
        displacement *= width / 512  # the config gives pixels for frames 512 wide
        # `carried` is the homography of the background between the frames; objects move along with it
        if rng.random() < config.rigid_share:
            layers, carried = self._rigid(rng, displacement)
        else:
            layers, carried = self._flat(rng, displacement)
        backdrop = layers[0].texture
        for _ in range(int(rng.integers(config.objects[0], config.objects[1] + 1))):
            layers.append(self._object(rng, carried, backdrop, config))
        if config.exact_rest:
            layers = [settled(layer) for layer in layers]
        return render(layers, height, width, name=f"{self.kind}, seed {self.seed}, index {index}")

    def prepare(self) -> None:
        """Make all pictures and objects now instead of on first use."""
        for pool in (self._pictures, self._chairs, self._surfaces):
            pool.prepare()

    # Backgrounds ---------------------------------------------------------------------------------------------

    def _flat(self, rng: np.random.Generator, displacement: float) -> tuple[list[Layer], Homography]:
        """Draw a background of one picture that moves, tilts and sometimes deforms; also return its homography."""
        height, width = self.size
        texture = self._backdrop(rng)
        first = cut(rng, texture, height, width)
        motion = self._motion(rng, ((width - 1) / 2, (height - 1) / 2), displacement, max(height, width))
        # the last row of a homography tilts the picture; this moves the borders by about `displacement`
        tilt = np.eye(3)
        tilt[2, :2] = rng.normal(0, 1, 2) * min(displacement, 30) / width**2
        motion = motion @ tilt
        layer = Layer(texture, first, motion @ first, self._deformation(rng, texture, displacement), True, _gain(rng))
        return [layer], motion

    def _backdrop(self, rng: np.random.Generator) -> Texture:
        if rng.random() < self.config.plain_share:
            return opaque(materials.plain(rng, *self.size))
        texture = self._pictures.draw(rng)
        return (
            self._faint(rng, texture) if self.config.faint_share and rng.random() < self.config.faint_share else texture
        )

    def _faint(self, rng: np.random.Generator, texture: Texture) -> Texture:
        """Remove most of the contrast of a picture; in most cases also darken it."""
        contrast, level = rng.uniform(*self.config.faint), rng.uniform(*self.config.faint_level)
        # contrast is reduced about the grey level `level`
        faint = cv2.convertScaleAbs(texture, alpha=contrast, beta=(1 - contrast) * level)
        faint[..., 3] = 255  # `convertScaleAbs` has also changed alpha
        return faint

    def _rigid(self, rng: np.random.Generator, displacement: float) -> tuple[list[Layer], Homography]:
        """Draw a rigid scene under camera motion: a far picture, the ground, walls, and upright objects on the ground.

        Returns:
            the layers from back to front, and the homography of the far picture between the frames.
        """
        height, width = self.size
        turning = rng.uniform(*self.config.forward_turning)
        view, horizon = rigid.draw_view(rng, height, width, displacement, turning=turning)
        texture = self._backdrop(rng)
        first = cut(rng, texture, height, width)
        forward = np.array([0.0, 0.0, 1.0])
        # a plane at a distance of 16 to 1000 camera heights, where camera translation has little effect
        far = view.homography(forward, 10 ** rng.uniform(1.2, 3))
        layers = [Layer(texture, first, far @ first, endless=True, gain=_gain(rng))]
        ground, *walls = rigid.street(rng, texels=height / 3)
        for plane, before in [(ground, []), *((wall, [ground]) for wall in walls)]:
            layers.append(rigid.plane_layer(view, plane, before, self._surfaces.draw(rng), height, width, _gain(rng)))
        focal = view.intrinsics[1, 1]
        # sorted from far to near, so that nearer objects are drawn later
        feet = np.sort(rng.uniform(horizon + 0.05 * height, 1.1 * height, int(rng.integers(*self.config.uprights))))
        for foot in feet:
            depth = focal / (foot - horizon)  # in camera heights; the ground is one camera height below the camera
            size = np.clip(focal / depth * rng.uniform(0.2, 1.5), *self.config.object_size)
            texture, scale = self._cutout(rng, size, texture)
            rows, columns = texture.shape[:2]
            middle = rng.uniform(0, width), foot - scale * rows / 2
            first = placement(middle, (columns, rows), scale, rng.random() < 0.5)
            layers.append(Layer(texture, first, view.homography(forward, depth) @ first, gain=_gain(rng)))
        return layers, far

    # Objects -------------------------------------------------------------------------------------------------

    def _object(self, rng: np.random.Generator, carried: Homography, backdrop: Texture, config: MixedConfig) -> Layer:
        height, width = self.size
        size = _log_uniform(rng, config.object_size) * min(height, width) / 384
        still = rng.random() < config.still_object_share
        displacement = 0.0 if still else _log_uniform(rng, config.displacement) * width / 512
        texture, scale = self._cutout(rng, size, backdrop)
        rows, columns = texture.shape[:2]
        centre = rng.uniform(-0.05, 1.05) * width, rng.uniform(-0.05, 1.05) * height
        first = placement(centre, (columns, rows), scale, rng.random() < 0.5)
        turned = similarity(centre, rng.normal(0, 0.4), 1.0) @ first
        # the object's own motion is relative to the background
        motion = carried @ self._motion(rng, centre, displacement, size)
        transparent, opacity = rng.random() < config.transparent_share, rng.uniform(*config.opacity)
        bend = self._deformation(rng, texture, displacement / scale)  # the lattice is in texels
        return Layer(texture, turned, motion @ turned, bend, gain=_gain(rng), opacity=opacity if transparent else 1.0)

    def _cutout(self, rng: np.random.Generator, size: float, backdrop: Texture) -> tuple[Texture, float]:
        """Draw an object for a longer side of `size` pixels; also return the scale at which it must still be drawn."""
        if rng.random() < self.config.chair_share:
            return resized(self._chairs.draw(rng), size)
        longer = max(self.config.smallest_stencil, round(size))
        rows, columns = longer, max(12, round(longer * rng.uniform(*self.config.slenderness)))
        if rng.random() < 0.5:
            rows, columns = columns, rows
        kind = rng.choice(list(STENCILS), p=self.config.stencil_shares)
        stencil = STENCILS[kind](rng, rows, columns)
        colours = self._colours(rng, rows, columns, backdrop)
        # colours are premultiplied by alpha, as `Texture` says
        texture = np.dstack([cv2.multiply(colours, cv2.merge([stencil] * 3), scale=1 / 255), stencil])
        return cv2.GaussianBlur(texture, (0, 0), noise.SOFTNESS, borderType=cv2.BORDER_CONSTANT), 1.0

    def _colours(self, rng: np.random.Generator, rows: int, columns: int, backdrop: Texture) -> np.ndarray:
        """Draw the colours of an object: a crop of a material, a picture or the background, with a brightness
        gradient."""
        if rng.random() < self.config.shared_texture_share:
            source = backdrop[..., :3]
        elif rng.random() < 0.6:
            source = self._surfaces.draw(rng)[: rigid.ATLAS_SIZE]
        else:
            source = self._pictures.draw(rng)[..., :3]
        top = int(rng.integers(0, max(1, source.shape[0] - rows)))
        left = int(rng.integers(0, max(1, source.shape[1] - columns)))
        piece = source[top : top + rows, left : left + columns]
        if piece.shape[:2] != (rows, columns):
            piece = cv2.resize(piece, (columns, rows), interpolation=cv2.INTER_LINEAR)
        slope = rng.uniform(-0.4, 0.4, 2).astype(np.float32)
        y, x = np.ogrid[-0.5 : 0.5 : rows * 1j, -0.5 : 0.5 : columns * 1j]
        light = (1 + slope[0] * y + slope[1] * x).astype(np.float32)  # rows x columns, factor applied to the colours
        return cv2.multiply(np.ascontiguousarray(piece), cv2.merge([light] * 3), dtype=cv2.CV_8U)

    # Motions -------------------------------------------------------------------------------------------------

    def _motion(
        self, rng: np.random.Generator, centre: tuple[float, float], displacement: float, size: float
    ) -> Homography:
        """Draw a similarity transform that translates the centre by up to `displacement` pixels; rotation and zoom move
        the rim by a similar distance."""
        direction = rng.uniform(0, 2 * np.pi)
        shift = displacement * np.cos(direction), 0.6 * displacement * np.sin(direction)
        rim = displacement / (size / 2)  # angle (radians) or change of scale that moves the rim by `displacement`
        angle = np.clip(rng.normal(0, 0.5) * rim, -np.radians(self.config.rotation), np.radians(self.config.rotation))
        zoom = np.clip(rng.normal(0, 0.4) * rim, -self.config.zoom, self.config.zoom)
        return similarity(centre, angle, 1 + zoom, shift)

    def _deformation(self, rng: np.random.Generator, texture: Texture, displacement: float) -> Deformation | None:
        """Draw a smooth random deformation of up to about half of `displacement`; return None for no deformation."""
        if rng.random() >= self.config.deformation_share or displacement == 0:
            return None
        rows, columns = texture.shape[:2]
        step = max(rows, columns) / LATTICE_CELLS  # texels
        shape = int(np.ceil(rows / step)) + 1, int(np.ceil(columns / step)) + 1  # numbers of rows and columns of nodes
        coarsest = 2 ** rng.uniform(2, 4)
        field = np.dstack([noise.fractal(rng, *shape, coarsest=coarsest, persistence=0.25) for _ in range(2)])
        field = cv2.GaussianBlur(field, (0, 0), 1.5)
        # limit the slope, so that the layer does not fold over itself
        slope = max(np.abs(np.diff(field, axis=0)).max(), np.abs(np.diff(field, axis=1)).max()) / step
        amplitude = min(0.35 * displacement, self.config.deformation_slope / (slope + 1e-9))
        return Deformation(np.ascontiguousarray(field * np.float32(amplitude)), step)


def _log_uniform(rng: np.random.Generator, bounds: Range) -> float:
    low, high = bounds
    return float(low * (high / low) ** rng.random())


def _gain(rng: np.random.Generator) -> np.ndarray:
    return (2 ** (np.clip(rng.normal(0.05, 0.35), -1.0, 0.4) + rng.normal(0, 0.12, 3))).astype(np.float32)
