"""Smooth paths, rotations and camera poses. Space is right-handed, z up; cameras look along +z with y down."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

Vector = Float64[np.ndarray, "3"]
Rotation = Float64[np.ndarray, "3 3"]


@dataclass(frozen=True)
class Spline:
    """A Catmull-Rom spline: it passes through its knots, and its velocity is continuous."""

    start: float
    """Time of the first knot, in frames."""
    spacing: float
    """Time between knots, in frames."""
    knots: Float64[np.ndarray, "knots 3"]

    def __call__(self, time: float | int) -> Vector:
        """Return the point at a time; beyond the ends, the cubic of the first or last segment continues."""
        place = (time - self.start) / self.spacing
        # one more knot on either side, so that the curve reaches the first and the last one
        padded = np.concatenate(
            [[2 * self.knots[0] - self.knots[1]], self.knots, [2 * self.knots[-1] - self.knots[-2]]]
        )
        segment = int(np.clip(np.floor(place), 0, len(self.knots) - 2))
        t = place - segment
        a, b, c, d = padded[segment : segment + 4]  # the curve runs from knot b to knot c
        # a cubic with the velocities (c - a) / 2 at b and (d - b) / 2 at c (Catmull and Rom, 1974)
        return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)


def about_axis(axis: Vector, angle: float | int) -> Rotation:
    """Return the rotation by `angle` radians about an axis of any length (Rodrigues' formula)."""
    x, y, z = np.asarray(axis, dtype=float) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])  # cross @ v is the cross product of the axis and v
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


@dataclass(frozen=True)
class Spin:
    """A smooth rotation over time: an initial orientation, a main rotation, and a second one about another axis."""

    first: Rotation
    axis: Vector
    rate: float
    """Radians per frame."""
    second_axis: Vector
    second_rate: float

    def __call__(self, time: float | int) -> Rotation:
        """Return the orientation at a time."""
        return (
            about_axis(self.axis, self.rate * time) @ about_axis(self.second_axis, self.second_rate * time) @ self.first
        )


@dataclass(frozen=True)
class Pose:
    """The transform from world to camera coordinates: camera = rotation @ world + translation."""

    rotation: Rotation
    translation: Vector

    def __call__(self, points: Float64[np.ndarray, "points 3"]) -> Float64[np.ndarray, "points 3"]:
        """Transform world points to camera coordinates."""
        return points @ self.rotation.T + self.translation

    def into_world(self, points: Float64[np.ndarray, "points 3"]) -> Float64[np.ndarray, "points 3"]:
        """Transform camera points to world coordinates."""
        return (points - self.translation) @ self.rotation

    @property
    def matrix(self) -> Float64[np.ndarray, "4 4"]:
        """Return the transform as a matrix in homogeneous coordinates."""
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = self.rotation, self.translation
        return matrix


def look_at(position: Vector, target: Vector, roll: float | int = 0) -> Pose:
    """Return the pose of a camera at `position` with `target` at the centre of its picture, rolled by `roll`
    radians."""
    forward = (target - position) / np.linalg.norm(target - position)
    right = np.cross(forward, np.array([0.0, 0.0, 1.0]))
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    right, down = np.cos(roll) * right + np.sin(roll) * down, np.cos(roll) * down - np.sin(roll) * right
    rotation = np.stack([right, down, forward])  # rows are the camera's axes in world coordinates
    return Pose(rotation, -rotation @ position)
