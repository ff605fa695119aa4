"""Random similarity transforms, with a distribution like that published for FlyingChairs."""

from dataclasses import dataclass

import numpy as np

from opticflow.scenes.layers import Homography


@dataclass(frozen=True)
class HeavyTailed:
    """A heavy-tailed distribution of a motion parameter: most values are close to the mean, a few are far from it.

    xi = mean + beta * clip(sign(g) |g|^power, low - mean, high - mean), with g ~ N(0, deviation) and
    beta ~ Bernoulli(probability); after Dosovitskiy et al., "FlowNet", ICCV 2015, supplementary material. The power is
    applied to the deviation from the mean. If it were applied to the scale itself, most backgrounds would have the
    smallest or the largest scale, and the mean displacement would be three times that of real samples.
    """

    power: float
    mean: float
    deviation: float
    low: float
    high: float
    probability: float

    def draw(self, rng: np.random.Generator) -> float:
        """Draw one value."""
        g = rng.normal(0, self.deviation)
        if rng.random() >= self.probability:
            return self.mean
        return float(np.clip(self.mean + np.sign(g) * abs(g) ** self.power, self.low, self.high))


@dataclass(frozen=True)
class RandomSimilarity:
    """The distribution of a random similarity transform."""

    translation: HeavyTailed
    """Translation along each axis, in pixels."""
    rotation: HeavyTailed
    """Rotation in degrees."""
    scale: HeavyTailed
    """Scale factor."""

    def draw(self, rng: np.random.Generator, centre: tuple[float, float], *, unit: float = 1.0) -> Homography:
        """Draw a transform that rotates and scales about `centre` (x, y) and translates; `unit` scales the
        translation."""
        shift = unit * self.translation.draw(rng), unit * self.translation.draw(rng)
        return similarity(centre, np.radians(self.rotation.draw(rng)), self.scale.draw(rng), shift)


def similarity(
    centre: tuple[float, float], angle: float, scale: float, shift: tuple[float, float] = (0.0, 0.0)
) -> Homography:
    """Return the homography that rotates by `angle` (radians, clockwise on the screen) and scales about `centre`, then
    translates by `shift`."""
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    x, y = centre
    # translation(centre + shift) @ scaled rotation @ translation(-centre), multiplied out
    return np.array([[c, -s, x - c * x + s * y + shift[0]], [s, c, y - s * x - c * y + shift[1]], [0.0, 0.0, 1.0]])


def placement(centre: tuple[float, float], size: tuple[float, float], scale: float, mirrored: bool) -> Homography:
    """Return the homography that places a texture of `size` (columns, rows) upright, with its centre at `centre`
    (x, y) in the frame, scaled and optionally mirrored left to right."""
    sign = -scale if mirrored else scale
    # the centre of the first pixel is at 0, so the middle of n pixels is at (n - 1) / 2
    return np.array(
        [
            [sign, 0.0, centre[0] - sign * (size[0] - 1) / 2],
            [0.0, scale, centre[1] - scale * (size[1] - 1) / 2],
            [0.0, 0.0, 1.0],
        ]
    )
