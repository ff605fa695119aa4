"""Spatial augmentation as in RAFT and FlowNet: random affine maps from a crop into the frames of a sample."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace

import numpy as np

from opticflow.data.augmentation.affine import Matrix, covers, rotation, scaling, transform, translation
from opticflow.data.augmentation.spread import ALWAYS_0, ALWAYS_1, Spread
from opticflow.shapes import Sample

TRIES = 50
"""Number of attempts to draw a placement before a plain crop is used, as in Caffe's data augmentation layer."""

ROUNDING = 1 + 1e-9
"""Tolerance that keeps the last pixel of a crop inside an enlarged frame of the same size."""


def resized(scale: tuple[float, float], corner: tuple[int, int]) -> Matrix:
    """Return the map from a crop into a frame. The frame is scaled by `scale` (y, x), with half-pixel centres. The
    upper left pixel of the crop is pixel `corner` (y, x) of the scaled frame."""
    # scaling acts on pixel borders: shift from pixel centres to borders, scale, and shift back
    return translation(-0.5, -0.5) @ scaling(1 / scale[1], 1 / scale[0]) @ translation(corner[1] + 0.5, corner[0] + 0.5)


def flipped(rng: np.random.Generator, crop: tuple[int, int], left_right: float, up_down: float) -> Matrix:
    """Return a map of the crop onto itself that mirrors each axis with the given probability."""
    x = -1.0 if rng.random() < left_right else 1.0
    y = -1.0 if rng.random() < up_down else 1.0
    return (
        translation((crop[1] - 1) / 2, (crop[0] - 1) / 2)
        @ scaling(x, y)
        @ translation(-(crop[1] - 1) / 2, -(crop[0] - 1) / 2)
    )


def random_crop(rng: np.random.Generator, size: tuple[int, int], crop: tuple[int, int]) -> Matrix:
    """Return the map of a random crop; a frame smaller than the crop is enlarged."""
    scale = max(1.0, *(ROUNDING * wanted / side for wanted, side in zip(crop, size, strict=True)))
    room = [max(0, int(scale * side) - wanted) for wanted, side in zip(crop, size, strict=True)]  # pixels, (y, x)
    return resized((scale, scale), (int(rng.integers(room[0] + 1)), int(rng.integers(room[1] + 1))))


class Geometry(ABC):
    """Distribution of the maps from a crop into the two frames of a sample."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, size: tuple[int, int], crop: tuple[int, int]) -> tuple[Matrix, Matrix]:
        """Draw the maps from the crop (height, width) into the first and the second frame, both of `size` (height,
        width)."""

    @abstractmethod
    def scaled_down(self, share: float) -> "Geometry":
        """Return this distribution with its spread multiplied by `share`."""

    def apply(self, sample: Sample, rng: np.random.Generator, crop: tuple[int, int]) -> Sample:
        """Return the sample transformed by random maps, with frames of the size `crop` (height, width)."""
        return transform(sample, *self.draw(rng, sample.valid.shape, crop), crop)


@dataclass(frozen=True)
class Crop(Geometry):
    """A random crop without any other change."""

    def draw(self, rng: np.random.Generator, size: tuple[int, int], crop: tuple[int, int]) -> tuple[Matrix, Matrix]:
        """Draw one map for both frames."""
        place = random_crop(rng, size, crop)
        return place, place

    def scaled_down(self, share: float) -> "Crop":
        """Return this distribution itself: it has no spread."""
        return self


@dataclass(frozen=True)
class ScaleAndCrop(Geometry):
    """RAFT's spatial augmentation: both frames are scaled, stretched, mirrored and cropped alike
    (`core/utils/augmentor.py`)."""

    scale: tuple[float, float]
    """Bounds of the base-2 logarithm of the scale; uniform."""
    probability: float = 0.8
    """Probability of scaling at all."""
    stretch: float = 0.2
    """Largest absolute base-2 logarithm of the additional factor on each axis."""
    stretch_probability: float = 0.8
    flip_left_right: float = 0.5
    flip_up_down: float = 0.1
    clearance: int = 8
    """Smallest number of pixels by which a scaled frame must exceed the crop."""
    overhang: tuple[int, int] = (0, 0)
    """Pixels (y, x) by which the position of the crop may be drawn outside of the frame, below and on both sides. The
    crop is then moved back into the frame, so that crops at the border are frequent (RAFT's, for sparse ground
    truth)."""

    def draw(self, rng: np.random.Generator, size: tuple[int, int], crop: tuple[int, int]) -> tuple[Matrix, Matrix]:
        """Draw one map for both frames."""
        scales = rng.random() < self.probability
        # the scaled frame must cover the crop; where it is scaled, RAFT's code also leaves a clearance
        least = ROUNDING * max(
            (wanted + self.clearance * scales) / side for wanted, side in zip(crop, size, strict=True)
        )
        both = 2 ** rng.uniform(*self.scale) if scales else 1.0
        stretches = scales and rng.random() < self.stretch_probability
        y, x = 2 ** rng.uniform(-self.stretch, self.stretch, 2) if stretches else (1.0, 1.0)
        scale = (max(both * y, least), max(both * x, least))
        rooms = [max(0, int(side * by) - wanted) for side, by, wanted in zip(size, scale, crop, strict=True)]
        below, beside = self.overhang
        # the corner of the crop in the scaled frame, pixels
        y = min(int(rng.integers(rooms[0] + 1 + below)), rooms[0])
        x = min(max(int(rng.integers(-beside, rooms[1] + 1 + beside)), 0), rooms[1])
        place = resized(scale, (y, x)) @ flipped(rng, crop, self.flip_left_right, self.flip_up_down)
        return place, place

    def scaled_down(self, share: float) -> "ScaleAndCrop":
        """Return this distribution with its ranges of scale and stretch multiplied by `share`."""
        return replace(self, scale=(share * self.scale[0], share * self.scale[1]), stretch=share * self.stretch)


@dataclass(frozen=True)
class Placement:
    """Distribution of the placement of a crop in a frame, relative to the frame's centre."""

    shift_x: Spread = ALWAYS_0
    """Shift as a share of the crop's width."""
    shift_y: Spread = ALWAYS_0
    """Shift as a share of the crop's height."""
    angle: Spread = ALWAYS_0
    """Rotation in radians."""
    zoom: Spread = ALWAYS_1
    """Factor by which objects are enlarged."""
    squeeze: Spread = ALWAYS_1
    """Factor on the zoom along x; along y, its inverse is the factor."""

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Draw shifts, angle, and the logarithms of zoom and squeeze, so that placements combine by addition."""
        x, y, angle, zoom, squeeze = (getattr(self, field.name).draw(rng) for field in fields(self))
        return np.array([x, y, angle, np.log(zoom), np.log(squeeze)])  # in the order of `placed`

    def scaled_down(self, share: float) -> "Placement":
        """Return this distribution with each spread multiplied by `share`."""
        return Placement(*(getattr(self, field.name).scaled_down(share) for field in fields(self)))


def placed(values: np.ndarray, size: tuple[int, int], crop: tuple[int, int]) -> Matrix:
    """Return the map from a crop into a frame: it rotates about the crop's centre, shifts, scales down by the zoom, and
    moves the centre of the crop to the centre of the frame."""
    shift_x, shift_y, angle, zoom, squeeze = values
    # from right to left: the crop's centre to the origin, rotate, shift, scale, and to the frame's centre
    return (
        translation((size[1] - 1) / 2, (size[0] - 1) / 2)
        @ scaling(np.exp(-zoom - squeeze), np.exp(-zoom + squeeze))
        @ translation(shift_x * crop[1], shift_y * crop[0])
        @ rotation(angle)
        @ translation(-(crop[1] - 1) / 2, -(crop[0] - 1) / 2)
    )


@dataclass(frozen=True)
class RelativeAffine(Geometry):
    """FlowNet's spatial augmentation: both frames get the same placement, then the second gets a small relative
    transform, which adds to the flow.

    A placement whose crop would leave the frame is drawn again, with at most `TRIES` attempts. If all fail, the crop is
    a plain random crop, or the second frame gets no relative transform.
    """

    both: Placement
    second: Placement = Placement()
    """Placement of the second frame relative to that of both."""
    relative_probability: float = 1.0
    """Probability that the second frame gets a relative transform."""
    flip_left_right: float = 0.0
    flip_up_down: float = 0.0

    def draw(self, rng: np.random.Generator, size: tuple[int, int], crop: tuple[int, int]) -> tuple[Matrix, Matrix]:
        """Draw the maps of both frames."""
        mirror = flipped(rng, crop, self.flip_left_right, self.flip_up_down)
        # the crop must lie within both frames, so each placement is drawn until it does, at most TRIES times
        base = _drawn(self.both, np.zeros(5), rng, size, crop)
        if base is None:
            first = second = random_crop(rng, size, crop)
        else:
            moved = None
            if rng.random() < self.relative_probability:
                moved = _drawn(self.second, base, rng, size, crop)
            first, second = (placed(values, size, crop) for values in (base, base if moved is None else moved))
        return first @ mirror, second @ mirror

    def scaled_down(self, share: float) -> "RelativeAffine":
        """Return this distribution with each spread multiplied by `share`."""
        return replace(self, both=self.both.scaled_down(share), second=self.second.scaled_down(share))


def _drawn(
    placement: Placement, base: np.ndarray, rng: np.random.Generator, size: tuple[int, int], crop: tuple[int, int]
) -> np.ndarray | None:
    for _ in range(TRIES):
        # the second frame's placement is relative to that of both
        values = base + placement.draw(rng)  # 5 numbers, see `Placement.draw`
        if covers(placed(values, size, crop), size, crop):
            return values
    return None
