"""Random similarity transforms with the published distribution of FlyingChairs."""

from dataclasses import dataclass

import numpy as np

from opticflow.scenes.layers import Homography


@dataclass(frozen=True)
class HeavyTailed:
    """The distribution of a parameter that is often small and sometimes large.

    xi = mean + beta * clip(sign(g) |g|^power, low - mean, high - mean), with g ~ N(0, deviation) and
    beta ~ Bernoulli(probability): after Dosovitskiy et al., "FlowNet", ICCV 2015, supplementary material. The power is
    taken of the departure from the mean: taken of the scale itself it would put most backgrounds at the limits of the
    scale, and the mean displacement at three times that of real samples.
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
        """Draw a transform that rotates and scales about `centre` (x, y); translations are multiplied by `unit`."""
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
    """Return the homography that places a texture of `size` (columns, rows) upright with its middle at `centre` (x,
    y)."""
    sign = -scale if mirrored else scale
    # the first pixel's centre is 0, so the middle of n pixels lies at (n - 1) / 2
    return np.array(
        [
            [sign, 0.0, centre[0] - sign * (size[0] - 1) / 2],
            [0.0, scale, centre[1] - scale * (size[1] - 1) / 2],
            [0.0, 0.0, 1.0],
        ]
    )
