"""Random shapes for moving objects and for the static part of a scene."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from opticflow.scenes.things_geometry import (
    Mesh,
    Points,
    box,
    joined,
    lathe,
    normalised,
    pebble,
    prism,
    sheet,
    superquadric,
    tube,
)
from opticflow.scenes.things_motion import about_axis

Generator = np.random.Generator


def _box(rng: Generator) -> Mesh:
    return box(*rng.uniform(0.3, 1.0, 3)).repeated(*rng.uniform(0.5, 1.5, 2))


def _rounded(rng: Generator) -> Mesh:
    mesh = superquadric(rng.uniform(0.15, 1.6), rng.uniform(0.15, 1.6), 24)
    return mesh.moved(scale=tuple(rng.uniform(0.4, 1.0, 3))).repeated(*rng.uniform(0.7, 2.0, 2))


def _pebble(rng: Generator) -> Mesh:
    return (
        pebble(rng, rng.uniform(0.1, 0.8), 28)
        .moved(scale=tuple(rng.uniform(0.6, 1.0, 3)))
        .repeated(*rng.uniform(0.7, 2.0, 2))
    )


def _torus(rng: Generator) -> Mesh:
    thickness, squeeze = rng.uniform(0.12, 0.45), rng.uniform(0.6, 1.0)

    def surface(u: np.ndarray, v: np.ndarray) -> Points:
        large, small = 2 * np.pi * u, 2 * np.pi * v
        ring = 1 + thickness * np.cos(small)
        return np.stack([ring * np.cos(large), squeeze * ring * np.sin(large), thickness * np.sin(small)], axis=1)

    return sheet(surface, 48, 20).repeated(4, 2)


def _knot(rng: Generator) -> Mesh:
    # torus knots: `turns` times about the axis, `winds` times about the ring
    turns, winds = ((2, 3), (3, 2), (2, 5), (3, 4))[rng.integers(4)]

    def line(s: np.ndarray) -> Points:
        a = 2 * np.pi * s
        ring = 2 + np.cos(winds * a)
        return np.stack([ring * np.cos(turns * a), ring * np.sin(turns * a), 1.2 * np.sin(winds * a)], axis=1)

    return tube(line, rng.uniform(0.25, 0.5), 12, 160).repeated(2, 12)


def _spring(rng: Generator) -> Mesh:
    turns, rise = rng.uniform(2, 5), rng.uniform(0.25, 0.5)

    def line(s: np.ndarray) -> Points:
        a = 2 * np.pi * turns * s
        return np.stack([np.cos(a), np.sin(a), rise * a / 2], axis=1)

    return tube(line, rng.uniform(0.12, 0.3), 10, int(40 * turns), closed=False).repeated(2, 8)


def _vessel(rng: Generator) -> Mesh:
    """Draw a vase, bottle, lamp or spindle: a surface of revolution with a smooth random profile."""
    knots = np.linspace(0, 1, 7)
    profile = rng.uniform(0.15, 0.8, 7)
    steps = np.linspace(0, 1, 25)
    smooth = np.interp(steps, knots, profile)
    # a moving average rounds the corners of the profile
    smooth = np.convolve(np.pad(smooth, 3, mode="edge"), np.ones(7) / 7, mode="valid")
    return lathe(smooth, steps * rng.uniform(1.2, 2.4), 36).repeated(2, 1)


def _drum(rng: Generator) -> Mesh:
    low, high = rng.uniform(0.2, 1.0), rng.uniform(0.05, 1.0)
    return lathe(np.array([low, high]), np.array([0.0, rng.uniform(0.2, 2.0)]), 40).repeated(2, 1)


def _plate(rng: Generator) -> Mesh:
    """Draw a star, gear, blade or polygon cut from a thick sheet."""
    corners = int(rng.integers(3, 13))
    # the jitter is less than half of the spacing, so that the angles stay in order
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False) + rng.uniform(-0.2, 0.2, corners) * 2 * np.pi / corners
    radii = rng.uniform(0.75, 1.0, corners)
    # every second corner moved inwards makes a star or a gear
    if corners % 2 == 0 and corners > 5 and rng.random() < 0.8:
        radii[::2] *= rng.uniform(0.3, 0.7)
    outline = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)
    return prism(outline, rng.uniform(0.08, 0.6))


def _legs(reach: tuple[float, float], height: float, thick: float) -> list[Mesh]:
    x, y = reach[0] / 2 - thick / 2, reach[1] / 2 - thick / 2
    return [box(thick, thick, height).moved((a * x, b * y, height / 2)) for a in (-1, 1) for b in (-1, 1)]


def _chair(rng: Generator) -> Mesh:
    width, depth, seat = rng.uniform(0.7, 1.1), rng.uniform(0.7, 1.1), rng.uniform(0.6, 1.1)
    thick, back = rng.uniform(0.05, 0.12), rng.uniform(0.6, 1.2)
    parts = _legs((width, depth), seat, thick)
    parts.append(box(width, depth, 1.3 * thick).moved((0, 0, seat)))
    lean = about_axis(np.array([1.0, 0.0, 0.0]), rng.uniform(0.0, 0.3))
    if rng.random() < 0.5:
        backrest = [box(width, thick, back).moved((0, 0, back / 2))]
    else:
        slats = int(rng.integers(3, 6))
        backrest = [
            box(thick, thick, back).moved((x, 0, back / 2))
            for x in np.linspace(-width / 2 + thick / 2, width / 2 - thick / 2, slats)
        ]
        backrest.append(box(width, thick, 2 * thick).moved((0, 0, back)))
    parts += [piece.moved((0, -depth / 2, seat), lean) for piece in backrest]
    if rng.random() < 0.5:
        for x in (-width / 2, width / 2):
            parts.append(box(thick, depth * 0.8, thick).moved((x, 0, seat + 0.35 * back)))
            parts.append(box(thick, thick, 0.35 * back).moved((x, depth * 0.35, seat + 0.17 * back)))
    return joined(parts, one_part=rng.random() < 0.3)


def _table(rng: Generator) -> Mesh:
    width, depth, height = rng.uniform(1.0, 2.0), rng.uniform(0.7, 1.2), rng.uniform(0.6, 1.0)
    top = box(width, depth, 0.1) if rng.random() < 0.5 else lathe(np.array([0.7, 0.7]), np.array([-0.05, 0.05]), 40)
    return joined([*_legs((width * 0.8, depth * 0.8), height, rng.uniform(0.06, 0.15)), top.moved((0, 0, height))])


def _flyer(rng: Generator) -> Mesh:
    """Draw a body with wings, a tail and a fin."""
    body = superquadric(1.0, 1.0, 20).moved(scale=(1.0, 0.17, 0.17))
    sweep = about_axis(np.array([0.0, 0.0, 1.0]), rng.uniform(0.0, 0.5))
    span, chord = rng.uniform(0.7, 1.2), rng.uniform(0.2, 0.4)
    wing = box(chord, span, 0.05).moved((0, span / 2, 0)).moved(rotation=sweep)
    wings = [wing, wing.moved(rotation=about_axis(np.array([1.0, 0.0, 0.0]), np.pi))]
    tail = box(0.18, 0.6, 0.04).moved((-0.85 if rng.random() < 0.5 else 0.85, 0, 0))
    fin = box(0.2, 0.04, 0.4).moved((float(tail.points[:, 0].mean()), 0, 0.2))
    return joined([body, *wings, tail, fin])


def _vehicle(rng: Generator) -> Mesh:
    length, width = rng.uniform(1.6, 2.4), rng.uniform(0.8, 1.1)
    radius = rng.uniform(0.2, 0.35)
    wheel = lathe(np.array([radius, radius]), np.array([-0.09, 0.09]), 24)
    upright = about_axis(np.array([1.0, 0.0, 0.0]), np.pi / 2)
    wheels = [wheel.moved((x * length * 0.33, y * width / 2, radius), upright) for x in (-1, 1) for y in (-1, 1)]
    hull = superquadric(0.25, 0.25, 16).moved((0, 0, radius + 0.25), scale=(length / 2, width / 2, 0.28))
    cabin = superquadric(0.4, 0.3, 16).moved(
        (rng.uniform(-0.3, 0.2), 0, radius + 0.65), scale=(length * 0.28, width * 0.42, 0.3)
    )
    return joined([hull, cabin, *wheels])


def _cluster(rng: Generator) -> Mesh:
    """Draw a few solids joined at random."""
    pieces = []
    for _ in range(int(rng.integers(3, 7))):
        make = (_box, _drum, _rounded, _torus, _vessel)[rng.integers(5)]
        piece = normalised(make(rng)).moved(scale=rng.uniform(0.3, 0.9))
        pieces.append(piece.moved(rng.normal(size=3) * 0.5, about_axis(rng.normal(size=3), rng.uniform(0, np.pi))))
    return joined(pieces)


THINGS: dict[str, Callable[[Generator], Mesh]] = {
    "box": _box,
    "rounded": _rounded,
    "pebble": _pebble,
    "torus": _torus,
    "knot": _knot,
    "spring": _spring,
    "vessel": _vessel,
    "drum": _drum,
    "plate": _plate,
    "chair": _chair,
    "table": _table,
    "flyer": _flyer,
    "vehicle": _vehicle,
    "cluster": _cluster,
}
"""Families of moving objects. Composite ones replace the ShapeNet models of FlyingThings3D."""


def random_thing(rng: Generator) -> Mesh:
    """Draw a random shape inside the unit sphere."""
    return normalised(list(THINGS.values())[rng.integers(len(THINGS))](rng))


def column(rng: Generator, radius: float, height: float) -> Mesh:
    """Draw a deformed cylinder that stands on the ground: bent, bulged and fluted."""
    bulge, lobes = rng.uniform(0.0, 0.35), int(rng.integers(2, 7))
    flutes, lean = rng.uniform(0.0, 0.25), rng.normal(size=2) * 0.15
    twist, phase, waist = rng.uniform(-2, 2), rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 1.2)

    def wall(u: np.ndarray, v: np.ndarray) -> Points:
        angle = 2 * np.pi * u
        swell = 1 + (waist - 1) * v + bulge * np.sin(3 * np.pi * v + phase)
        reach = radius * swell * (1 + flutes * np.cos(lobes * angle + twist * v))  # metres
        x = reach * np.cos(angle) + lean[0] * height * v**2
        y = reach * np.sin(angle) + lean[1] * height * v**2
        return np.stack([x, y, height * v], axis=1)

    body = sheet(wall, 24, 10)
    rim = body.points[-25:-1]  # 24 x 3, the last row without the repeated vertex
    lid = _lid(rim)
    return joined([body, lid], one_part=True)


def _lid(rim: Points) -> Mesh:
    """Build a flat top over a rim at one height."""
    count = len(rim)
    points = np.concatenate([rim, rim.mean(0, keepdims=True)])
    here = np.arange(count)
    triangles = np.stack([here, (here + 1) % count, np.full(count, count)], axis=1).astype(np.int32)
    flat = np.zeros(count, dtype=np.int32)
    return Mesh(points, np.tile((0.0, 0.0, 1.0), (count + 1, 1)), points[:, :2] * 0.3, triangles, flat, flat)


def ground(rng: Generator, reach: float, unevenness: float, texture_size: float) -> Mesh:
    """Build the ground: a plane with gentle hills that extends `reach` metres to every side of the origin."""
    waves = rng.normal(size=(6, 2)) * 0.12  # 6 x 2, wave vectors in radians per metre
    phases = rng.uniform(0, 2 * np.pi, 6)

    def surface(u: np.ndarray, v: np.ndarray) -> Points:
        x, y = (2 * u - 1) * reach, (2 * v - 1) * reach
        hills = np.sin(np.stack([x, y], axis=1) @ waves.T + phases).sum(1) * unevenness / np.sqrt(6)  # metres
        return np.stack([x, y, hills], axis=1)

    return sheet(surface, 64, 64).repeated(2 * reach / texture_size, 2 * reach / texture_size)


def sky(radius: float, repeats: int) -> Mesh:
    """Build the backdrop: a dome seen from inside, equally bright on all sides."""

    def surface(u: np.ndarray, v: np.ndarray) -> Points:
        # the angle runs backwards, so that du x dv points inwards
        angle, rise = -2 * np.pi * u, np.pi * (v - 0.5)
        return radius * np.stack([np.cos(rise) * np.cos(angle), np.cos(rise) * np.sin(angle), np.sin(rise)], axis=1)

    dome = sheet(surface, 64, 32).repeated(2 * repeats, repeats)
    # the same normal everywhere, so that the lamp lights the whole sky equally
    return replace(dome, normals=np.tile((0.0, 0.0, 1.0), (len(dome.points), 1)))
