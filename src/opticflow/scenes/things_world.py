"""Composition: a static world, objects that fly before it, and a camera that moves through it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int32

from opticflow.scenes.stock import Pool
from opticflow.scenes.things_geometry import Mesh, box, joined
from opticflow.scenes.things_knobs import Range, ThingsKnobs
from opticflow.scenes.things_motion import Pose, Spin, Spline, about_axis, look_at
from opticflow.scenes.things_rasteriser import Lens
from opticflow.scenes.things_shading import ALBEDO, Light, Surface, stack_textures
from opticflow.scenes.things_shapes import column, ground, random_thing, sky
from opticflow.shapes import Frame

Generator = np.random.Generator


@dataclass(frozen=True)
class Thing:
    """An object and its way through the world."""

    mesh: Mesh
    size: float
    path: Spline
    spin: Spin


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
class Lamp:
    """Light that drifts in strength."""

    direction: Float64[np.ndarray, "3"]
    """Towards it, in the world."""
    strength: Spline
    """Ambient, diffuse and specular."""

    def __call__(self, time: float | int, pose: Pose) -> Light:
        """The light at a time, in camera coordinates."""
        ambient, diffuse, specular = np.maximum(self.strength(time), 0.0)
        return Light(pose.rotation @ self.direction, float(ambient), float(diffuse), float(specular))


@dataclass(frozen=True)
class World:
    """A scene at all times. The vertices of the static world come first, then those of thing after thing."""

    camera: Camera
    static: Mesh
    things: tuple[Thing, ...]
    surface: Surface
    owners: Int32[np.ndarray, " triangles"]
    """Number of the thing that a triangle belongs to, from 1; 0 is the static world."""
    lamp: Lamp | None

    def points(self, time: float | int) -> Float64[np.ndarray, "vertices 3"]:
        """All vertices in camera coordinates."""
        placed = [thing.mesh.points * thing.size @ thing.spin(time).T + thing.path(time) for thing in self.things]
        return self.camera.pose(time)(np.concatenate([self.static.points, *placed]))

    def normals(self, time: float | int) -> Float32[np.ndarray, "vertices 3"]:
        """All normals in camera coordinates."""
        turned = [thing.mesh.normals @ thing.spin(time).T for thing in self.things]
        rotation = self.camera.pose(time).rotation
        return (np.concatenate([self.static.normals, *turned]) @ rotation.T).astype(np.float32)

    def light(self, time: float | int) -> Light:
        """The light in camera coordinates."""
        return ALBEDO if self.lamp is None else self.lamp(time, self.camera.pose(time))


def assemble(
    camera: Camera,
    static: Mesh,
    things: Sequence[Thing],
    pictures: Sequence[Frame],
    rng: Generator,
    lamp: Lamp | None = None,
) -> World:
    """Number the parts of all meshes, and give each part a picture, a tint and a gloss.

    The first pictures go to the first parts of the static world, in their order; the rest is drawn at random.
    """
    everything = joined([static, *(thing.mesh for thing in things)])
    materials = int(everything.parts.max()) + 1
    textures_of = rng.integers(0, len(pictures), materials).astype(np.int32)
    fixed = min(2, len(pictures), materials)
    textures_of[:fixed] = np.arange(fixed)
    tints = rng.uniform(0.75, 1.3, (materials, 1)) * rng.uniform(0.8, 1.2, (materials, 3))
    tints[:fixed] = 1.0
    strength = rng.uniform(0.0, 0.5, materials) * (rng.random(materials) < 0.4)
    strength[:fixed] = 0.0
    gloss = np.stack([strength, np.exp(rng.uniform(np.log(5), np.log(60), materials))], axis=1)
    surface = Surface(
        triangles=everything.triangles,
        patches=everything.patches,
        materials=everything.parts,
        coordinates=everything.coordinates.astype(np.float32),
        tints=tints.astype(np.float32),
        gloss=gloss.astype(np.float32),
        textures=stack_textures(pictures),
        textures_of=textures_of,
    )
    counts = [len(static.triangles), *(len(thing.mesh.triangles) for thing in things)]
    owners = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    return World(camera, static, tuple(things), surface, owners, lamp)


def compose(rng: Generator, knobs: ThingsKnobs, pictures: Pool[Frame], materials: Pool[Frame]) -> World:
    """Draw a whole scene, textured from pools of square pictures."""
    camera = _camera(rng, knobs)
    count = int(rng.integers(knobs.objects[0], knobs.objects[1] + 1))
    things = [_thing(rng, knobs, camera) for _ in range(count)]
    soil = materials if rng.random() < 0.6 else pictures
    drawn = [soil.draw(rng)] + [pictures.draw(rng) for _ in range(knobs.pictures)]
    drawn += [materials.draw(rng) for _ in range(knobs.materials)]
    return assemble(camera, _static(rng, knobs, camera), things, drawn, rng, _lamp(rng, knobs, drawn))


def _lognormal(rng: Generator, median_and_spread: Range) -> float:
    return float(median_and_spread[0] * np.exp(median_and_spread[1] * rng.normal()))


def _log_uniform(rng: Generator, bounds: Range) -> float:
    return float(np.exp(rng.uniform(*np.log(bounds))))


def _knot_times(knobs: ThingsKnobs) -> np.ndarray:
    """Times of the knots of every path: from two frames before the sequence to beyond its end."""
    return np.arange(-2.0, knobs.frames + 1 + knobs.steadiness, knobs.steadiness)


def _path(knobs: ThingsKnobs, knots: np.ndarray) -> Spline:
    return Spline(-2.0, knobs.steadiness, knots)


def _walk(rng: Generator, steps: int, rate: float, dimensions: int, wobble: float) -> np.ndarray:
    """Positions after steps of a length `rate` whose direction changes by about `wobble` radians each."""
    step = rng.normal(size=dimensions)
    positions = [np.zeros(dimensions)]
    for _ in range(steps - 1):
        step = step / np.linalg.norm(step) + wobble * rng.normal(size=dimensions)
        positions.append(positions[-1] + rate * np.exp(0.2 * rng.normal()) * step / np.linalg.norm(step))
    return np.array(positions)


def _camera(rng: Generator, knobs: ThingsKnobs) -> Camera:
    lens = Lens(knobs.width, knobs.height, knobs.focal * knobs.zoom)
    count = len(_knot_times(knobs))
    speed = _lognormal(rng, knobs.camera_speed) * knobs.steadiness
    way = _walk(rng, count, speed, 3, 0.4) * (1.0, 1.0, 0.3)
    way += (0.0, 0.0, rng.uniform(*knobs.camera_height))
    way[:, 2] = np.maximum(way[:, 2], 0.6 * knobs.camera_height[0])
    turn = _lognormal(rng, knobs.camera_turn) * knobs.steadiness
    aim = np.zeros((count, 3))
    aim[:, :2] = _walk(rng, count, turn, 2, 0.4) * (1.0, 0.5)
    aim[:, 1] += rng.uniform(-0.3, 0.02)
    aim[:, 2] = rng.normal(0, 0.05) + np.cumsum(rng.normal(0, knobs.roll * knobs.steadiness, count))
    return Camera(lens, _path(knobs, way), _path(knobs, aim))


def _thing(rng: Generator, knobs: ThingsKnobs, camera: Camera) -> Thing:
    """An object whose way is planned in the picture: it stays in view, at the speed that the knobs ask for."""
    lens, times = camera.lens, _knot_times(knobs)
    depth = _log_uniform(rng, knobs.object_depth)
    size = _log_uniform(rng, knobs.object_size) * lens.width * depth / lens.focal
    speed = _lognormal(rng, knobs.object_speed) * knobs.zoom * knobs.steadiness
    way = _walk(rng, len(times), speed, 2, 0.5)
    meeting = rng.integers(len(times))  # the knot at which it is inside the picture for certain
    way += rng.uniform(0.05, 0.95, 2) * (lens.width, lens.height) - way[meeting]
    way = _reflected(way, (lens.width, lens.height))
    change = rng.normal(0, knobs.approach) + rng.normal(0, knobs.approach / 2, len(times))
    depths = depth * np.exp(np.clip(np.cumsum(change * knobs.steadiness), -0.7, 1.0))
    depths = np.maximum(depths, 1.6 * size + 0.3)
    knots = []
    for time, (x, y), far in zip(times, way, depths, strict=True):
        ray = np.array([[(x - lens.centre[0]) / lens.focal, (y - lens.centre[1]) / lens.focal, 1.0]])
        place = camera.pose(time).into_world(ray * far)[0]
        place[2] = max(place[2], 0.5 * size)  # above the ground, or nearly
        knots.append(place)
    first = about_axis(rng.normal(size=3), rng.uniform(0, np.pi))
    rate = _lognormal(rng, knobs.spin)
    spin = Spin(first, rng.normal(size=3), rate, rng.normal(size=3), 0.3 * rate * rng.normal())
    return Thing(random_thing(rng), size, _path(knobs, np.array(knots)), spin)


def _reflected(way: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A way in the picture, turned back where it would leave it by more than a fifth of its size."""
    margin = 0.2 * np.array(size)
    span = np.array(size) + 2 * margin
    folded = np.mod(way + margin, 2 * span)
    return np.where(folded > span, 2 * span - folded, folded) - margin


def _static(rng: Generator, knobs: ThingsKnobs, camera: Camera) -> Mesh:
    """The ground, the backdrop, and cuboids, walls, posts and deformed cylinders that stand about."""
    meshes = [
        ground(rng, 4 * knobs.reach, rng.uniform(0.0, 0.5), _log_uniform(rng, (3.0, 14.0))),
        sky(4 * knobs.reach, int(rng.integers(2, 5))),
    ]
    track = np.array([camera.position(time)[:2] for time in np.linspace(-1, knobs.frames, 12)])
    heading = float(np.mean([camera.aim(time)[0] for time in (0.0, knobs.frames - 1.0)]))
    for _ in range(knobs.statics):
        angle = heading + rng.uniform(-1.2, 1.2)
        distance = np.sqrt(rng.uniform(0.006, 1.0)) * knobs.reach
        place = track[0] + distance * np.array([np.cos(angle), np.sin(angle)])
        clear = np.linalg.norm(track - place, axis=1).min()
        girth = min(_log_uniform(rng, (0.15, 2.5)), 0.3 * clear)
        if clear < 2.5:
            continue
        meshes.append(_monument(rng, girth).moved((*place, -0.3), about_axis(np.array([0, 0, 1.0]), rng.uniform(0, 7))))
    return joined(meshes)


def _monument(rng: Generator, girth: float) -> Mesh:
    """One thing of the static world, standing on the ground."""
    height = girth * _log_uniform(rng, (0.7, 6.0))
    scale = rng.uniform(1.5, 5.0)  # metres that a texture spans
    if rng.random() < 0.45:
        return column(rng, girth, height).repeated(2 * max(1, round(girth * 3 / scale)), max(0.5, height / scale))
    sides = girth * rng.uniform(0.6, 1.6, 2)
    if rng.random() < 0.2:
        sides, height = np.array([4 * girth, 0.15]), min(height, 2 * girth)
    block = box(sides[0] * 2, sides[1] * 2, height).repeated(max(0.3, 2 * girth / scale), max(0.3, height / scale))
    tilt = about_axis(rng.normal(size=3), abs(rng.normal(0, 0.12)))
    return block.moved(rotation=tilt).moved((0, 0, height / 2))


def _lamp(rng: Generator, knobs: ThingsKnobs, pictures: Sequence[Frame]) -> Lamp | None:
    if not knobs.lighting:
        return None
    rise, angle = rng.uniform(0.35, 1.2), rng.uniform(0, 2 * np.pi)
    direction = np.array([np.cos(rise) * np.cos(angle), np.cos(rise) * np.sin(angle), np.sin(rise)])
    ambient = rng.uniform(0.35, 0.6)
    # exposed as a camera would be: dark materials get more light
    exposure = np.clip(115 / np.mean([picture.mean() for picture in pictures]), 0.8, 1.5) * rng.uniform(0.85, 1.15)
    base = np.array([ambient, 1.25 - ambient, 1.0]) * exposure
    count = len(_knot_times(knobs))
    drift = np.exp(np.cumsum(rng.normal(0, knobs.brightness_change, (count, 1)), axis=0))
    return Lamp(direction, _path(knobs, base * drift))
