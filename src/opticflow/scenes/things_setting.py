"""The setting of a scene: a camera on its path, and the static part around it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from opticflow.scenes.things_config import Range, ThingsConfig
from opticflow.scenes.things_geometry import Mesh, box, joined
from opticflow.scenes.things_motion import Pose, Spline, about_axis, look_at
from opticflow.scenes.things_rasteriser import Lens
from opticflow.scenes.things_shapes import column, ground, sky

Generator = np.random.Generator


@dataclass(frozen=True)
class Camera:
    """A pinhole camera on a smooth path."""

    lens: Lens
    position: Spline
    aim: Spline
    """Yaw, pitch and roll in radians."""

    def pose(self, time: float | int) -> Pose:
        """Return the transform from world to camera coordinates at a time."""
        yaw, pitch, roll = self.aim(time)
        forward = np.array([np.cos(pitch) * np.cos(yaw), np.cos(pitch) * np.sin(yaw), np.sin(pitch)])
        position = self.position(time)
        return look_at(position, position + forward, roll)


@dataclass(frozen=True)
class Setting:
    """A camera, and the static part of the scene."""

    camera: Camera
    stand: Callable[[Generator], Mesh]
    """Function that draws the static part."""


def wander(rng: Generator, config: ThingsConfig) -> Setting:
    """Draw a setting like FlyingThings3D: a camera that drifts in any direction over a ground with solids."""
    camera = _camera(rng, config)
    return Setting(camera, lambda rng: _static(rng, config, camera))


def lognormal(rng: Generator, median_and_spread: Range) -> float:
    return float(median_and_spread[0] * np.exp(median_and_spread[1] * rng.normal()))


def log_uniform(rng: Generator, bounds: Range) -> float:
    return float(np.exp(rng.uniform(*np.log(bounds))))


def knot_times(config: ThingsConfig) -> np.ndarray:
    """Return the times of the knots of every path: from two frames before the sequence to beyond its end."""
    return np.arange(-2.0, config.frames + 1 + config.steadiness, config.steadiness)


def path(config: ThingsConfig, knots: np.ndarray) -> Spline:
    return Spline(-2.0, config.steadiness, knots)


def walk(rng: Generator, steps: int, rate: float, dimensions: int, wobble: float) -> np.ndarray:
    """Return the positions of a random walk. Its steps are about `rate` long, and its direction changes by about
    `wobble` radians per step."""
    step = rng.normal(size=dimensions)
    positions = [np.zeros(dimensions)]
    for _ in range(steps - 1):
        step = step / np.linalg.norm(step) + wobble * rng.normal(size=dimensions)
        positions.append(positions[-1] + rate * np.exp(0.2 * rng.normal()) * step / np.linalg.norm(step))
    return np.array(positions)


def _camera(rng: Generator, config: ThingsConfig) -> Camera:
    lens = Lens(config.width, config.height, config.focal * config.zoom)
    count = len(knot_times(config))
    speed = lognormal(rng, config.camera_speed) * config.steadiness
    way = walk(rng, count, speed, 3, 0.4) * (1.0, 1.0, 0.3)  # knots x 3, metres; mostly level
    way += (0.0, 0.0, rng.uniform(*config.camera_height))
    way[:, 2] = np.maximum(way[:, 2], 0.6 * config.camera_height[0])
    turn = lognormal(rng, config.camera_turn) * config.steadiness  # radians from knot to knot
    aim = np.zeros((count, 3))  # knots x (yaw, pitch, roll), radians
    aim[:, :2] = walk(rng, count, turn, 2, 0.4) * (1.0, 0.5)
    aim[:, 1] += rng.uniform(-0.3, 0.02)
    aim[:, 2] = rng.normal(0, 0.05) + np.cumsum(rng.normal(0, config.roll * config.steadiness, count))
    return Camera(lens, path(config, way), path(config, aim))


def _static(rng: Generator, config: ThingsConfig, camera: Camera) -> Mesh:
    """Build the ground, the backdrop, and static cuboids, walls, posts and deformed cylinders."""
    meshes = [
        ground(rng, 4 * config.reach, rng.uniform(0.0, 0.5), log_uniform(rng, (3.0, 14.0))),
        sky(4 * config.reach, int(rng.integers(2, 5))),
    ]
    track = np.array([camera.position(time)[:2] for time in np.linspace(-1, config.frames, 12)])  # 12 x 2, metres
    heading = float(np.mean([camera.aim(time)[0] for time in (0.0, config.frames - 1.0)]))  # mean yaw, radians
    for _ in range(config.statics):
        angle = heading + rng.uniform(-1.2, 1.2)
        # the square root makes the density of positions uniform over the area
        distance = np.sqrt(rng.uniform(0.006, 1.0)) * config.reach
        place = track[0] + distance * np.array([np.cos(angle), np.sin(angle)])
        clear = np.linalg.norm(track - place, axis=1).min()
        # a solid must not reach into the camera's path
        girth = min(log_uniform(rng, (0.15, 2.5)), 0.3 * clear)
        if clear < 2.5:
            continue
        meshes.append(monument(rng, girth).moved((*place, -0.3), about_axis(np.array([0, 0, 1.0]), rng.uniform(0, 7))))
    return joined(meshes)


def monument(rng: Generator, girth: float) -> Mesh:
    """Draw a static object that stands on the ground."""
    height = girth * log_uniform(rng, (0.7, 6.0))
    scale = rng.uniform(1.5, 5.0)  # metres that a texture spans
    if rng.random() < 0.45:
        return column(rng, girth, height).repeated(2 * max(1, round(girth * 3 / scale)), max(0.5, height / scale))
    sides = girth * rng.uniform(0.6, 1.6, 2)
    if rng.random() < 0.2:
        sides, height = np.array([4 * girth, 0.15]), min(height, 2 * girth)
    block = box(sides[0] * 2, sides[1] * 2, height).repeated(max(0.3, 2 * girth / scale), max(0.3, height / scale))
    tilt = about_axis(rng.normal(size=3), abs(rng.normal(0, 0.12)))
    return block.moved(rotation=tilt).moved((0, 0, height / 2))
