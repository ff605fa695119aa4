"""Composition of a scene: a static part, moving objects in front of it, and a moving camera."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int32

from opticflow.scenes.textures import TexturePool
from opticflow.scenes.things_config import ThingsConfig
from opticflow.scenes.things_geometry import Mesh, joined
from opticflow.scenes.things_journey import travel
from opticflow.scenes.things_motion import Pose, Spin, Spline, about_axis
from opticflow.scenes.things_setting import Camera, knot_times, log_uniform, lognormal, path, walk, wander
from opticflow.scenes.things_shading import ALBEDO, Light, Surface, stack_textures
from opticflow.scenes.things_shapes import random_thing
from opticflow.shapes import Frame

Generator = np.random.Generator


@dataclass(frozen=True)
class Thing:
    """An object and its motion."""

    mesh: Mesh
    size: float
    path: Spline
    spin: Spin


@dataclass(frozen=True)
class Lamp:
    """A distant light whose strength varies slowly."""

    direction: Float64[np.ndarray, "3"]
    """Direction towards the lamp, in world coordinates."""
    strength: Spline
    """Strength of ambient, diffuse and specular light."""

    def __call__(self, time: float | int, pose: Pose) -> Light:
        """Return the light at a time, in camera coordinates."""
        ambient, diffuse, specular = np.maximum(self.strength(time), 0.0)
        return Light(pose.rotation @ self.direction, float(ambient), float(diffuse), float(specular))


@dataclass(frozen=True)
class Scene:
    """A scene as a function of time. The vertices of the static part come first, then those of each object in turn."""

    camera: Camera
    static: Mesh
    things: tuple[Thing, ...]
    surface: Surface
    owners: Int32[np.ndarray, " triangles"]
    """Number of the object that a triangle belongs to, from 1; 0 is the static part."""
    lamp: Lamp | None

    def points(self, time: float | int) -> Float64[np.ndarray, "vertices 3"]:
        """Return all vertices in camera coordinates."""
        placed = [thing.mesh.points * thing.size @ thing.spin(time).T + thing.path(time) for thing in self.things]
        return self.camera.pose(time)(np.concatenate([self.static.points, *placed]))

    def normals(self, time: float | int) -> Float32[np.ndarray, "vertices 3"]:
        """Return all normals in camera coordinates."""
        turned = [thing.mesh.normals @ thing.spin(time).T for thing in self.things]
        rotation = self.camera.pose(time).rotation
        return (np.concatenate([self.static.normals, *turned]) @ rotation.T).astype(np.float32)

    def light(self, time: float | int) -> Light:
        """Return the light in camera coordinates."""
        return ALBEDO if self.lamp is None else self.lamp(time, self.camera.pose(time))


def assemble(
    camera: Camera,
    static: Mesh,
    things: Sequence[Thing],
    pictures: Sequence[Frame],
    rng: Generator,
    lamp: Lamp | None = None,
) -> Scene:
    """Join all meshes into a scene, and assign each part a picture, a tint and a gloss.

    The first two parts of the static scene get the first two pictures, without tint and gloss; the rest is random.
    """
    everything = joined([static, *(thing.mesh for thing in things)])
    materials = int(everything.parts.max()) + 1
    textures_of = rng.integers(0, len(pictures), materials).astype(np.int32)
    # the first two parts of the static scene are, for example, the ground and the backdrop
    fixed = min(2, len(pictures), materials)
    textures_of[:fixed] = np.arange(fixed)
    tints = rng.uniform(0.75, 1.3, (materials, 1)) * rng.uniform(0.8, 1.2, (materials, 3))
    tints[:fixed] = 1.0
    strength = rng.uniform(0.0, 0.5, materials) * (rng.random(materials) < 0.4)  # 60 % are matt
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
    return Scene(camera, static, tuple(things), surface, owners, lamp)


def compose_scene(
    rng: Generator, config: ThingsConfig, pictures: TexturePool[Frame], materials: TexturePool[Frame]
) -> Scene:
    """Draw a whole scene at random, with textures from pools of square pictures."""
    setting = travel(rng, config, config.journey) if config.journey else wander(rng, config)
    camera = setting.camera
    count = int(rng.integers(config.objects[0], config.objects[1] + 1))
    things = [_thing(rng, config, camera) for _ in range(count)]
    soil = materials if rng.random() < 0.6 else pictures
    drawn = [soil.draw(rng)] + [pictures.draw(rng) for _ in range(config.pictures)]
    drawn += [materials.draw(rng) for _ in range(config.materials)]
    return assemble(camera, setting.stand(rng), things, drawn, rng, _lamp(rng, config, drawn))


def _thing(rng: Generator, config: ThingsConfig, camera: Camera) -> Thing:
    """Draw an object. Its path is planned in image coordinates, so that it stays in view and moves at the speed of the
    config."""
    lens, times = camera.lens, knot_times(config)
    depth = log_uniform(rng, config.object_depth)
    # metres; the number in the config is a share of the picture's width
    size = log_uniform(rng, config.object_size) * lens.width * depth / lens.focal
    speed = lognormal(rng, config.object_speed) * config.zoom * config.steadiness  # pixels from knot to knot
    way = walk(rng, len(times), speed, 2, 0.5)  # knots x 2, pixels
    meeting = rng.integers(len(times))  # the knot at which the object is certainly inside the picture
    way += rng.uniform(0.05, 0.95, 2) * (lens.width, lens.height) - way[meeting]
    way = _reflected(way, (lens.width, lens.height))
    change = rng.normal(0, config.approach) + rng.normal(0, config.approach / 2, len(times))
    depths = depth * np.exp(np.clip(np.cumsum(change * config.steadiness), -0.7, 1.0))  # depth at each knot, metres
    # an object must not come so near that the camera is inside it
    depths = np.maximum(depths, 1.6 * size + 0.3)
    knots = []
    for time, (x, y), far in zip(times, way, depths, strict=True):
        ray = np.array([[(x - lens.centre[0]) / lens.focal, (y - lens.centre[1]) / lens.focal, 1.0]])  # 1 x 3
        place = camera.pose(time).into_world(ray * far)[0]
        place[2] = max(place[2], 0.5 * size)  # above the ground, or nearly
        knots.append(place)
    first = about_axis(rng.normal(size=3), rng.uniform(0, np.pi))
    rate = lognormal(rng, config.spin)
    spin = Spin(first, rng.normal(size=3), rate, rng.normal(size=3), 0.3 * rate * rng.normal())
    return Thing(random_thing(rng), size, path(config, np.array(knots)), spin)


def _reflected(way: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a path in the picture, reflected where it would leave the picture by more than a fifth of its size."""
    margin = 0.2 * np.array(size)
    span = np.array(size) + 2 * margin
    # the remainder modulo twice the span, folded, is reflected at both borders
    folded = np.mod(way + margin, 2 * span)
    return np.where(folded > span, 2 * span - folded, folded) - margin


def _lamp(rng: Generator, config: ThingsConfig, pictures: Sequence[Frame]) -> Lamp | None:
    if not config.lighting:
        return None
    rise, angle = rng.uniform(0.35, 1.2), rng.uniform(0, 2 * np.pi)
    direction = np.array([np.cos(rise) * np.cos(angle), np.cos(rise) * np.sin(angle), np.sin(rise)])  # unit vector
    ambient = rng.uniform(0.35, 0.6)
    # automatic exposure, as in a camera: dark materials get more light
    exposure = np.clip(115 / np.mean([picture.mean() for picture in pictures]), 0.8, 1.5) * rng.uniform(0.85, 1.15)
    base = np.array([ambient, 1.25 - ambient, 1.0]) * exposure
    count = len(knot_times(config))
    # knots x 1, factor on the light
    drift = np.exp(np.cumsum(rng.normal(0, config.brightness_change, (count, 1)), axis=0))
    return Lamp(direction, path(config, base * drift))
