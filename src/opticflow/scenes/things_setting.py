"""Where a scene takes place: a camera on its way, and the static world about it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from opticflow.scenes.things_geometry import Mesh, box, joined
from opticflow.scenes.things_knobs import Range, ThingsKnobs
from opticflow.scenes.things_motion import Pose, Spline, about_axis, look_at
from opticflow.scenes.things_rasteriser import Lens
from opticflow.scenes.things_shapes import column, ground, sky

Generator = np.random.Generator


@dataclass(frozen=True)
class Camera:
    """A lens on a smooth path."""

    lens: Lens
    position: Spline
    aim: Spline
    """Yaw, pitch and roll in radians."""

    def pose(self, time: float | int) -> Pose:
        """From world to camera at a time."""
        yaw, pitch, roll = self.aim(time)
        forward = np.array([np.cos(pitch) * np.cos(yaw), np.cos(pitch) * np.sin(yaw), np.sin(pitch)])
        position = self.position(time)
        return look_at(position, position + forward, roll)


@dataclass(frozen=True)
class Setting:
    """A camera, and what stands still before it."""

    camera: Camera
    stand: Callable[[Generator], Mesh]
    """Draws the static world."""


def wander(rng: Generator, knobs: ThingsKnobs) -> Setting:
    """A camera that drifts in any direction over a ground with solids, as in FlyingThings3D."""
    camera = _camera(rng, knobs)
    return Setting(camera, lambda rng: _static(rng, knobs, camera))


def lognormal(rng: Generator, median_and_spread: Range) -> float:
    return float(median_and_spread[0] * np.exp(median_and_spread[1] * rng.normal()))


def log_uniform(rng: Generator, bounds: Range) -> float:
    return float(np.exp(rng.uniform(*np.log(bounds))))


def knot_times(knobs: ThingsKnobs) -> np.ndarray:
    """Times of the knots of every path: from two frames before the sequence to beyond its end."""
    return np.arange(-2.0, knobs.frames + 1 + knobs.steadiness, knobs.steadiness)


def path(knobs: ThingsKnobs, knots: np.ndarray) -> Spline:
    return Spline(-2.0, knobs.steadiness, knots)


def walk(rng: Generator, steps: int, rate: float, dimensions: int, wobble: float) -> np.ndarray:
    """Positions after steps of a length `rate` whose direction changes by about `wobble` radians each."""
    step = rng.normal(size=dimensions)
    positions = [np.zeros(dimensions)]
    for _ in range(steps - 1):
        step = step / np.linalg.norm(step) + wobble * rng.normal(size=dimensions)
        positions.append(positions[-1] + rate * np.exp(0.2 * rng.normal()) * step / np.linalg.norm(step))
    return np.array(positions)


def _camera(rng: Generator, knobs: ThingsKnobs) -> Camera:
    lens = Lens(knobs.width, knobs.height, knobs.focal * knobs.zoom)
    count = len(knot_times(knobs))
    speed = lognormal(rng, knobs.camera_speed) * knobs.steadiness
    way = walk(rng, count, speed, 3, 0.4) * (1.0, 1.0, 0.3)  # knots x 3, metres; mostly level
    way += (0.0, 0.0, rng.uniform(*knobs.camera_height))
    way[:, 2] = np.maximum(way[:, 2], 0.6 * knobs.camera_height[0])
    turn = lognormal(rng, knobs.camera_turn) * knobs.steadiness  # radians from knot to knot
    aim = np.zeros((count, 3))  # knots x (yaw, pitch, roll), radians
    aim[:, :2] = walk(rng, count, turn, 2, 0.4) * (1.0, 0.5)
    aim[:, 1] += rng.uniform(-0.3, 0.02)
    aim[:, 2] = rng.normal(0, 0.05) + np.cumsum(rng.normal(0, knobs.roll * knobs.steadiness, count))
    return Camera(lens, path(knobs, way), path(knobs, aim))


def _static(rng: Generator, knobs: ThingsKnobs, camera: Camera) -> Mesh:
    """The ground, the backdrop, and cuboids, walls, posts and deformed cylinders that stand about."""
    meshes = [
        ground(rng, 4 * knobs.reach, rng.uniform(0.0, 0.5), log_uniform(rng, (3.0, 14.0))),
        sky(4 * knobs.reach, int(rng.integers(2, 5))),
    ]
    track = np.array([camera.position(time)[:2] for time in np.linspace(-1, knobs.frames, 12)])  # 12 x 2, metres
    heading = float(np.mean([camera.aim(time)[0] for time in (0.0, knobs.frames - 1.0)]))  # mean yaw, radians
    for _ in range(knobs.statics):
        angle = heading + rng.uniform(-1.2, 1.2)
        # the square root makes the density of places even over the area
        distance = np.sqrt(rng.uniform(0.006, 1.0)) * knobs.reach
        place = track[0] + distance * np.array([np.cos(angle), np.sin(angle)])
        clear = np.linalg.norm(track - place, axis=1).min()
        # a solid must not reach into the camera's way
        girth = min(log_uniform(rng, (0.15, 2.5)), 0.3 * clear)
        if clear < 2.5:
            continue
        meshes.append(monument(rng, girth).moved((*place, -0.3), about_axis(np.array([0, 0, 1.0]), rng.uniform(0, 7))))
    return joined(meshes)


def monument(rng: Generator, girth: float) -> Mesh:
    """One thing of the static world, standing on the ground."""
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
