"""A camera that looks in its direction of travel: along a road between houses and trees, or through a furnished room.

Roads and rooms consist of the same solids as the open world of `things_setting`; this module only places them.
"""

import numpy as np
from jaxtyping import Float64

from opticflow.scenes.things_config import Journey, ThingsConfig
from opticflow.scenes.things_geometry import Mesh, Points, box, joined, normalised, sheet
from opticflow.scenes.things_motion import about_axis
from opticflow.scenes.things_rasteriser import Lens
from opticflow.scenes.things_setting import Camera, Setting, knot_times, log_uniform, lognormal, monument, path
from opticflow.scenes.things_shapes import THINGS, ground, sky

Generator = np.random.Generator
Track = Float64[np.ndarray, "_times 2"]
"""Path of the camera on the ground plane in metres, from before the first frame to after the last."""

UP = np.array([0.0, 0.0, 1.0])
FURNITURE = ("chair", "table", "box", "vessel", "drum", "rounded", "plate")
"""Families of `THINGS` that are used as furniture."""


def travel(rng: Generator, config: ThingsConfig, journey: Journey) -> Setting:
    """Draw a camera that moves along a road or through a room, and the static scene around it."""
    if rng.random() < journey.room_share:
        camera = _camera(rng, config, journey, journey.room_speed, journey.room_turn, journey.room_height, tilt=0.15)
        track = _track(config, camera)
        return Setting(camera, lambda rng: _room(rng, journey, track))
    camera = _camera(rng, config, journey, journey.speed, journey.turn, journey.height, tilt=0.04)
    track = _track(config, camera)
    return Setting(camera, lambda rng: _road(rng, config, journey, track))


def _camera(
    rng: Generator,
    config: ThingsConfig,
    journey: Journey,
    speed: tuple[float, float],
    turn: tuple[float, float],
    height: tuple[float, float],
    *,
    tilt: float,
) -> Camera:
    """Draw a camera that moves along a steadily turning heading and looks ahead or slightly to the side."""
    lens = Lens(config.width, config.height, rng.uniform(*journey.focal) * config.zoom)
    count = len(knot_times(config))
    above, pitch = rng.uniform(*height), rng.normal(-tilt / 2, tilt)
    rate = lognormal(rng, turn) * rng.choice([-1.0, 1.0])
    yaw = np.cumsum(rate * config.steadiness * (1 + 0.4 * rng.normal(size=count)))  # radians at each knot
    yaw -= yaw[0]
    # distance in metres to the nearest visible ground, which must not pass behind the camera within one frame
    seen_from = above / (0.5 * lens.height / lens.focal + max(0.0, float(np.tan(-pitch))))
    pace = min(lognormal(rng, speed), journey.reserve * seen_from)
    step = pace * config.steadiness * np.exp(0.1 * rng.normal(size=count - 1))  # metres from knot to knot
    heading = (yaw[1:] + yaw[:-1]) / 2  # radians between knots
    way = np.zeros((count, 3))  # knots x 3, metres
    way[1:, 0], way[1:, 1] = np.cumsum(step * np.cos(heading)), np.cumsum(step * np.sin(heading))
    way[:, 2] = above + 0.02 * rng.normal(size=count)
    aim = np.zeros((count, 3))  # knots x (yaw, pitch, roll), radians
    aim[:, 0] = yaw + rng.normal(0, journey.aside)
    aim[:, 1] = pitch + 0.005 * rng.normal(size=count)
    aim[:, 2] = rng.normal(0, 0.01) + np.cumsum(rng.normal(0, config.roll * config.steadiness, count))
    return Camera(lens, path(config, way), path(config, aim))


def _track(config: ThingsConfig, camera: Camera) -> Track:
    return np.array([camera.position(time)[:2] for time in np.linspace(-2, config.frames + 1, 16)])


# Roads -------------------------------------------------------------------------------------------------------


def _road(rng: Generator, config: ThingsConfig, journey: Journey, track: Track) -> Mesh:
    """Build the ground, the backdrop, rows of houses, parked vehicles, and monuments beside the road."""
    meshes = [
        ground(rng, 4 * config.reach, rng.uniform(0.0, 0.08), log_uniform(rng, (2.0, 10.0))),
        sky(4 * config.reach, int(rng.integers(2, 5))),
    ]
    way = _continued(track, config.reach)  # points x 2, metres
    for side in (-1.0, 1.0):
        if rng.random() < journey.houses_share:
            meshes += _houses(rng, way, side)
    vehicles = int(rng.integers(0, 7))
    for number in range(config.statics + vehicles):
        place, along = _beside(rng, way, log_uniform(rng, (2.9, 4.5) if number < vehicles else journey.roadside))
        clear = float(np.linalg.norm(way - place, axis=1).min())  # metres to the camera's path
        if clear < 2.3:
            continue
        if number < vehicles:
            meshes.append(_standing(THINGS["vehicle"](rng), 2.2, place, along + rng.normal(0, 0.05)))
        else:
            # a wide monument must not reach into the camera's path
            girth = min(log_uniform(rng, (0.08, 2.5)), 0.3 * clear)
            turned = about_axis(UP, rng.uniform(0, 7))
            meshes.append(monument(rng, girth).moved((*place, -0.2), turned))
    return joined(meshes)


def _continued(track: Track, reach: float) -> Track:
    """Return the path of the camera, continued straight ahead by `reach` metres in steps of one metre."""
    ahead = track[-1] - track[-2]
    ahead = ahead / np.linalg.norm(ahead)
    return np.concatenate([track, track[-1] + np.arange(1.0, reach)[:, None] * ahead])


def _beside(rng: Generator, way: Track, distance: float) -> tuple[np.ndarray, float]:
    """Return a position at this distance in metres to the left or right of the path, and the path's direction there in
    radians."""
    number = int(rng.integers(1, len(way)))
    step = way[number] - way[number - 1]
    along = float(np.arctan2(step[1], step[0]))
    side = distance * rng.choice([-1.0, 1.0])
    return way[number] + side * np.array([-np.sin(along), np.cos(along)]), along


def _houses(rng: Generator, way: Track, side: float) -> list[Mesh]:
    """Build a row of houses with gaps on one side of the road."""
    houses, distance, travelled = [], rng.uniform(5.0, 14.0), 0.0
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(way, axis=0), axis=1))])  # metres
    while travelled < lengths[-1]:
        length, depth, height = rng.uniform(4, 18), rng.uniform(3, 8), rng.uniform(2.5, 11)
        middle = travelled + length / 2
        travelled += length + rng.choice([0.0, rng.uniform(0.5, 8)])
        here = np.array([np.interp(middle, lengths, way[:, axis]) for axis in range(2)])
        # a point half a metre further on gives the direction of the road
        there = np.array([np.interp(middle + 0.5, lengths, way[:, axis]) for axis in range(2)])
        along = float(np.arctan2(*(there - here)[::-1])) if middle + 0.5 < lengths[-1] else 0.0
        outward = side * np.array([-np.sin(along), np.cos(along)])
        place = here + (distance + depth / 2 + rng.uniform(0, 1.5)) * outward
        if np.linalg.norm(way - place, axis=1).min() < np.hypot(length, depth) / 2 + 1.5:
            continue  # the house would stand in a bend of the road
        scale = rng.uniform(2.0, 6.0)  # metres that a texture spans
        block = box(length, depth, height).repeated(length / scale, height / scale)
        houses.append(block.moved((*place, height / 2 - 0.2), about_axis(UP, along)))
    return houses


# Rooms -------------------------------------------------------------------------------------------------------


def _room(rng: Generator, journey: Journey, track: Track) -> Mesh:
    """Build a box around the camera's path, seen from inside, with furniture on the floor and boards on the walls."""
    # corners of the floor (x, y), metres
    low, high = track.min(0) - rng.uniform(1.2, 3.5, 2), track.max(0) + rng.uniform(1.2, 3.5, 2)
    ceiling = rng.uniform(2.2, 3.6)
    meshes = _box_from_inside((*low, 0.0), (*high, ceiling), rng.uniform(0.8, 3.0))
    for _ in range(int(rng.integers(*journey.furniture))):
        size = log_uniform(rng, (0.12, 0.9))
        place = rng.uniform(low, high)  # metres
        clear = float(np.linalg.norm(track - place, axis=1).min())
        if clear > 0.7 and 0.6 * size < clear:
            family = FURNITURE[rng.integers(len(FURNITURE))]
            meshes.append(_standing(THINGS[family](rng), size, place, rng.uniform(0, 7)))
    for _ in range(int(rng.integers(0, 9))):
        axis, end = int(rng.integers(2)), rng.choice([-1.0, 1.0])
        place, sides = rng.uniform(low, high), rng.uniform(0.2, 1.2, 2)
        place[axis] = high[axis] if end > 0 else low[axis]
        extent = (0.06, sides[0]) if axis == 0 else (sides[0], 0.06)
        meshes.append(box(*extent, sides[1]).moved((*place, rng.uniform(0.3, 0.8) * ceiling)))
    return joined(meshes)


def _box_from_inside(low: tuple[float, float, float], high: tuple[float, float, float], scale: float) -> list[Mesh]:
    """Build the floor, the walls and the ceiling, each as a separate part; a texture spans `scale` metres."""
    extent = np.array(high) - np.array(low)
    panels = []
    # the floor is the first part, so that `assemble` gives it the first picture
    for axis, end in ((2, 0.0), (0, 1.0), (0, 0.0), (1, 0.0), (1, 1.0), (2, 1.0)):
        u, v = np.zeros(3), np.zeros(3)
        u[(axis + 1) % 3], v[(axis + 2) % 3] = extent[(axis + 1) % 3], extent[(axis + 2) % 3]
        corner = np.array(low)
        corner[axis] += end * extent[axis]
        if end:
            u, v = v, u  # so that u x v points inwards
        panels.append(_panel(corner, u, v).repeated(np.linalg.norm(u) / scale, np.linalg.norm(v) / scale))
    return panels


def _panel(corner: np.ndarray, u: np.ndarray, v: np.ndarray) -> Mesh:
    """Build a rectangle that is visible from the side to which u x v points."""

    def surface(s: np.ndarray, t: np.ndarray) -> Points:
        return corner + s[:, None] * u + t[:, None] * v

    return sheet(surface, 1, 1)


def _standing(mesh: Mesh, size: float, place: np.ndarray, angle: float) -> Mesh:
    """Scale a mesh to a radius of `size` metres, rotate it by `angle` radians about z, and put it on the ground."""
    thing = normalised(mesh)
    return thing.moved((*place, -size * float(thing.points[:, 2].min())), about_axis(UP, angle), size)
