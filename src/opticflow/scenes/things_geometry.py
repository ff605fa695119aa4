"""Procedural meshes: basic solids, and functions that move and join them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from jaxtyping import Float64, Int32

Points = Float64[np.ndarray, "points 3"]
Real = float | int


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh. Seen from outside, the corners of a triangle run counter-clockwise."""

    points: Points
    normals: Points
    coordinates: Float64[np.ndarray, "points 2"]
    """Texture coordinates."""
    triangles: Int32[np.ndarray, "triangles 3"]
    patches: Int32[np.ndarray, " triangles"]
    """Number of the smooth surface that each triangle belongs to, from 0."""
    parts: Int32[np.ndarray, " triangles"]
    """Number of the part that each triangle belongs to, from 0; each part has its own material."""

    def moved(
        self,
        offset: tuple[Real, Real, Real] | np.ndarray = (0, 0, 0),
        rotation: np.ndarray | None = None,
        scale: tuple[Real, Real, Real] | Real = 1,
    ) -> "Mesh":
        """Return the mesh scaled along its axes, then rotated, then translated."""
        factors = np.broadcast_to(np.asarray(scale, dtype=float), 3)
        # normals are scaled by the inverse factors, so that they stay perpendicular to the surface
        points, normals = self.points * factors, self.normals / factors
        if rotation is not None:
            points, normals = points @ rotation.T, normals @ rotation.T
        normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
        return replace(self, points=points + np.asarray(offset), normals=normals)

    def repeated(self, u: Real, v: Real) -> "Mesh":
        """Return the mesh with its textures repeated `u` and `v` times as often."""
        return replace(self, coordinates=self.coordinates * (u, v))


def joined(meshes: list[Mesh], *, one_part: bool = False) -> Mesh:
    """Join several meshes into one. Their parts get different numbers, unless `one_part` keeps the old numbers."""
    # the numbers of each mesh are shifted beyond those of the meshes before it
    offsets = np.cumsum([0] + [len(mesh.points) for mesh in meshes])
    patches = np.cumsum([0] + [int(mesh.patches.max()) + 1 for mesh in meshes])
    parts = np.cumsum([0] + [int(mesh.parts.max()) + 1 for mesh in meshes]) * (not one_part)
    return Mesh(
        points=np.concatenate([mesh.points for mesh in meshes]),
        normals=np.concatenate([mesh.normals for mesh in meshes]),
        coordinates=np.concatenate([mesh.coordinates for mesh in meshes]),
        triangles=np.concatenate([m.triangles + np.int32(o) for m, o in zip(meshes, offsets, strict=False)]),
        patches=np.concatenate([m.patches + np.int32(o) for m, o in zip(meshes, patches, strict=False)]),
        parts=np.concatenate([m.parts + np.int32(o) for m, o in zip(meshes, parts, strict=False)]),
    )


def normalised(mesh: Mesh) -> Mesh:
    """Return the mesh translated and scaled into the unit sphere."""
    centre = (mesh.points.min(0) + mesh.points.max(0)) / 2  # middle of the bounding box
    radius = np.linalg.norm(mesh.points - centre, axis=1).max()
    return replace(mesh, points=(mesh.points - centre) / radius)


def sheet(surface: Callable[[np.ndarray, np.ndarray], Points], across: int, along: int) -> Mesh:
    """Build the mesh of a parametric surface `surface(u, v)`, for u and v from 0 to 1; du x dv points outwards.

    Opposite borders that coincide (the seam of a sphere) get common normals, so that no seam is visible.
    """
    u, v = np.meshgrid(np.linspace(0, 1, across + 1), np.linspace(0, 1, along + 1))  # (along + 1) x (across + 1)
    points = surface(u.ravel(), v.ravel())
    corner = (np.arange(along)[:, None] * (across + 1) + np.arange(across)).ravel()  # first vertex of each cell
    # two triangles to a cell, counter-clockwise as seen from where du x dv points
    lower = np.stack([corner, corner + 1, corner + across + 2], axis=1)
    upper = np.stack([corner, corner + across + 2, corner + across + 1], axis=1)
    triangles = np.stack([lower, upper], axis=1).reshape(-1, 3).astype(np.int32)
    none = np.zeros(len(triangles), dtype=np.int32)
    coordinates = np.stack([u.ravel(), v.ravel()], axis=1)
    return Mesh(points, _smooth_normals(points.reshape(along + 1, across + 1, 3)), coordinates, triangles, none, none)


def _smooth_normals(grid: Float64[np.ndarray, "rows columns 3"]) -> Points:
    """Return the normals of a sheet: the area-weighted mean over the triangles that meet at a vertex."""
    right, down = np.diff(grid, axis=1), np.diff(grid, axis=0)
    # a cross product is as long as twice the triangle's area, so that sums of them are weighted by area
    lower = np.cross(right[:-1], down[:, 1:])  # two triangles per cell
    upper = np.cross(right[1:], down[:, :-1])
    normals = np.zeros_like(grid)
    normals[:-1, :-1] += lower + upper
    normals[1:, 1:] += lower + upper
    normals[:-1, 1:] += lower
    normals[1:, :-1] += upper
    # opposite borders that coincide get common normals, so that no seam is visible
    near = 1e-9 * np.abs(grid).max()
    if np.abs(grid[:, 0] - grid[:, -1]).max() < near:
        normals[:, 0] = normals[:, -1] = normals[:, 0] + normals[:, -1]
    if np.abs(grid[0] - grid[-1]).max() < near:
        normals[0] = normals[-1] = normals[0] + normals[-1]
    for row in (0, -1):
        if np.abs(grid[row] - grid[row, 0]).max() < near:  # a pole
            normals[row] = normals[row].sum(0)
    normals = normals.reshape(-1, 3)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    # a vertex whose triangles have no area has no normal; any unit vector will do
    return np.where(length > 1e-30, normals / np.maximum(length, 1e-30), (0.0, 0.0, 1.0))


def box(width: float = 1.0, depth: float = 1.0, height: float = 1.0) -> Mesh:
    """Build a cuboid around the origin, with six flat sides."""
    return _cube().moved(scale=(width, depth, height))


@cache
def _cube() -> Mesh:
    sides = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            normal = np.zeros(3)
            normal[axis] = sign
            right = np.roll(np.array([0.0, 1.0, 0.0]), axis)
            # right x up = normal, so the corners run counter-clockwise as seen from outside
            up = np.cross(normal, right)
            corners = np.array([normal - right - up, normal + right - up, normal + right + up, normal - right + up]) / 2
            triangles = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)
            flat = np.zeros(2, dtype=np.int32)
            square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
            sides.append(Mesh(corners, np.tile(normal, (4, 1)), square, triangles, flat, flat))
    return joined(sides, one_part=True)


def lathe(radii: np.ndarray, heights: np.ndarray, around: int, *, capped: bool = True) -> Mesh:
    """Build a surface of revolution: a profile, given from the lowest height upwards, rotated about the z axis. Flat
    caps close it if `capped`."""
    steps = np.linspace(0, 1, len(radii))

    def wall(u: np.ndarray, v: np.ndarray) -> Points:
        radius, angle = np.interp(v, steps, radii), 2 * np.pi * u
        return np.stack([radius * np.cos(angle), radius * np.sin(angle), np.interp(v, steps, heights)], axis=1)

    pieces = [sheet(wall, around, len(radii) - 1)]
    if capped:
        angles = np.linspace(0, 2 * np.pi, around, endpoint=False)
        rim = np.stack([np.cos(angles), np.sin(angles)], axis=1)  # around x 2
        pieces += [_cap(rim * radii[0], heights[0], -1.0), _cap(rim * radii[-1], heights[-1], 1.0)]
    return joined(pieces, one_part=True)


def _cap(rim: Float64[np.ndarray, "corners 2"], height: float, sign: float) -> Mesh:
    """Build a flat cap over an outline that is star-shaped about the origin."""
    count = len(rim)
    flat = np.concatenate([rim, np.zeros((1, 2))])  # (corners + 1) x 2; the middle is the last vertex
    points = np.concatenate([flat, np.full((count + 1, 1), height)], axis=1)
    here, following = np.arange(count), (np.arange(count) + 1) % count
    # a cap that faces down has its corners in the opposite order
    order = (here, following) if sign > 0 else (following, here)
    triangles = np.stack([*order, np.full(count, count)], axis=1).astype(np.int32)
    none = np.zeros(count, dtype=np.int32)
    reach = np.abs(rim).max() + 1e-9
    return Mesh(points, np.tile((0.0, 0.0, sign), (count + 1, 1)), flat / (2 * reach) + 0.5, triangles, none, none)


def prism(outline: Float64[np.ndarray, "corners 2"], height: float) -> Mesh:
    """Build a prism with flat sides. Its outline runs counter-clockwise and is star-shaped about the origin."""
    pieces = [_cap(outline, -height / 2, -1.0), _cap(outline, height / 2, 1.0)]
    # the sides share no vertices, so that each has its own normal and the edges look sharp
    for start, stop in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        corners = np.array([[*start, -height / 2], [*stop, -height / 2], [*stop, height / 2], [*start, height / 2]])
        normal = np.cross(corners[1] - corners[0], corners[3] - corners[0])
        normal /= np.linalg.norm(normal) + 1e-30
        flat = np.zeros(2, dtype=np.int32)
        square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
        triangles = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)
        pieces.append(Mesh(corners, np.tile(normal, (4, 1)), square, triangles, flat, flat))
    return joined(pieces, one_part=True)


def superquadric(roundness_up: float, roundness_around: float, detail: int) -> Mesh:
    """Build a superquadric: a box at roundness near 0, a sphere at 1, a star at 2 (Barr, "Superquadrics", 1981)."""

    def power(value: np.ndarray, exponent: float) -> np.ndarray:
        size = np.where(np.abs(value) < 1e-9, 0.0, np.abs(value))  # a rounding error to a small power is not small
        return np.sign(value) * size**exponent

    def surface(u: np.ndarray, v: np.ndarray) -> Points:
        angle, rise = 2 * np.pi * u - np.pi, np.pi * v - np.pi / 2  # longitude and latitude, radians
        ring = power(np.cos(rise), roundness_up)
        return np.stack(
            [
                ring * power(np.cos(angle), roundness_around),
                ring * power(np.sin(angle), roundness_around),
                power(np.sin(rise), roundness_up),
            ],
            axis=1,
        )

    return _wrapped(sheet(surface, 2 * detail, detail), detail)


def pebble(rng: np.random.Generator, roughness: float, detail: int) -> Mesh:
    """Build a sphere whose radius varies with the direction by smooth noise, a sum of sine waves."""
    waves = rng.normal(size=(12, 3)) * rng.uniform(1.0, 3.5, size=(12, 1))  # 12 x 3, wave vectors
    phases = rng.uniform(0, 2 * np.pi, size=12)
    # short waves are lower, so that the surface stays smooth
    heights = roughness * rng.normal(size=12) / (1 + np.linalg.norm(waves, axis=1))

    def surface(u: np.ndarray, v: np.ndarray) -> Points:
        angle, rise = 2 * np.pi * u, np.pi * (v - 0.5)  # longitude and latitude, radians
        unit = np.stack([np.cos(rise) * np.cos(angle), np.cos(rise) * np.sin(angle), np.sin(rise)], axis=1)
        # a lower bound of the radius keeps the surface from passing through its centre
        return unit * (1 + np.sin(unit @ waves.T + phases) @ heights).clip(0.25)[:, None]

    return _wrapped(sheet(surface, 2 * detail, detail), detail)


def _wrapped(ball: Mesh, detail: int) -> Mesh:
    """Return the mesh with new texture coordinates: Lambert's equal-area projection of each hemisphere about its pole.
    Both hemispheres agree at the equator, and the texture does not shrink at the poles."""
    rise, angle = np.meshgrid(np.linspace(-0.5, 0.5, detail + 1), np.linspace(0, 2, 2 * detail + 1), indexing="ij")
    reach = np.sqrt(1 - np.abs(np.sin(np.pi * rise)))  # 0 at the poles, 1 at the equator
    u, v = 0.5 + reach * np.cos(np.pi * angle) / 2, 0.5 + reach * np.sin(np.pi * angle) / 2
    return replace(ball, coordinates=np.stack([u.ravel(), v.ravel()], axis=1))


def tube(line: Callable[[np.ndarray], Points], radius: float, around: int, along: int, *, closed: bool = True) -> Mesh:
    """Build a tube around a curve `line(s)`, for s from 0 to 1. If it is not `closed`, flat caps end the tube."""

    def surface(u: np.ndarray, v: np.ndarray) -> Points:
        # the tangent is the central difference over a small step
        step = 1e-4
        here = line(v)
        tangent = line(v + step) - line(v - step)
        tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
        # the side is perpendicular to one fixed direction, along which no curve of `things_shapes` runs
        side = np.cross(tangent, np.array([0.11, 0.23, 0.97]))
        side /= np.linalg.norm(side, axis=1, keepdims=True)
        other = np.cross(tangent, side)
        angle = (2 * np.pi * u)[:, None]  # vertices x 1, radians
        return here + radius * (np.cos(angle) * side + np.sin(angle) * other)

    body = sheet(surface, around, along)
    if closed:
        return body
    ends = []
    for row, flip in ((0, True), (along, False)):
        rim = body.points[row * (around + 1) : row * (around + 1) + around]  # around x 3, without the repeated vertex
        centre = rim.mean(0)
        triangles = np.array(
            [(n, (n + 1) % around, around)[:: -1 if flip else 1] for n in range(around)], dtype=np.int32
        )
        normal = np.cross(rim[1] - rim[0], centre - rim[0]) * (-1 if flip else 1)
        flat = np.zeros(around, dtype=np.int32)
        points = np.concatenate([rim, centre[None]])
        coordinates = np.concatenate([np.stack([np.linspace(0, 1, around), np.zeros(around)], 1), [[0.5, 0.5]]])
        normals = np.tile(normal / np.linalg.norm(normal), (around + 1, 1))
        ends.append(Mesh(points, normals, coordinates, triangles, flat, flat))
    return joined([body, *ends], one_part=True)
