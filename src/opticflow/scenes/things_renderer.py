"""Render a scene to pictures, flow, occlusion, instances and depth."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float32, Float64

from opticflow.errors import InputError
from opticflow.scenes.rendered import InstanceMap, RenderedPair
from opticflow.scenes.things_effects import CameraEffects, finish
from opticflow.scenes.things_rasteriser import EMPTY, SAMPLES, SurfaceMotion, Visibility, depth_of, look, motion
from opticflow.scenes.things_scene import Scene
from opticflow.scenes.things_shading import shade
from opticflow.shapes import FlowArray, Frame, MaskArray


@dataclass(frozen=True)
class ThingsFrame:
    """One frame of a sequence with its complete ground truth."""

    clean: Frame
    """The clean pass: no effects."""
    final: Frame
    """The final pass: motion blur, defocus, fog, gamma and noise."""
    into_future: FlowArray
    """Flow to the next frame."""
    into_past: FlowArray
    """Flow to the previous frame. Every frame has both flows: the motion continues beyond the ends of the sequence."""
    hidden_in_future: MaskArray
    """Mask of the pixels that are occluded, or out of view, in the next frame."""
    hidden_in_past: MaskArray
    instances: InstanceMap
    """Number of the object visible at each pixel; 0 is the static scene."""
    depth: Float32[np.ndarray, "height width"]
    """Depth in metres along the optical axis."""
    intrinsics: Float64[np.ndarray, "3 3"]
    """Matrix from camera coordinates (x right, y down, z forward) to pixels."""
    extrinsics: Float64[np.ndarray, "4 4"]
    """Matrix from world to camera coordinates."""


@dataclass(frozen=True)
class ThingsSequence:
    """The frames of a scene, in order."""

    frames: tuple[ThingsFrame, ...]
    name: str = ""
    """Scene, seed and index, for messages."""

    def pair(self, first: int, rendering: str = "clean") -> RenderedPair:
        """Return frame `first` and the next one, in the `clean` or the `final` pass."""
        if not 0 <= first < len(self.frames) - 1:
            raise InputError(f"{self.name} has {len(self.frames)} frames; no pair begins at frame {first}")
        one, two = self.frames[first], self.frames[first + 1]
        check_rendering(rendering)
        return RenderedPair(
            first=getattr(one, rendering),
            second=getattr(two, rendering),
            forward=one.into_future,
            backward=two.into_past,
            first_occluded=one.hidden_in_future,
            second_occluded=two.hidden_in_past,
            first_instances=one.instances,
            second_instances=two.instances,
            name=f"{self.name} frame {first}",
        )


def check_rendering(rendering: str) -> None:
    """Raise an error if the pass does not exist."""
    if rendering not in ("clean", "final"):
        raise InputError(f"no rendering is called {rendering!r}; give 'clean' or 'final'")


class ThingsRenderer:
    """Renderer of one scene at any time. It caches what neighbouring frames share."""

    def __init__(self, world: Scene, effects: CameraEffects, softness: float, lens_blur: float) -> None:
        self.world = world
        self._effects = effects
        self._softness = softness
        self._lens_blur = lens_blur
        self._visibility: dict[int, Visibility] = {}
        self._clean: dict[int, Float32[np.ndarray, "height width 3"]] = {}

    def visibility(self, time: int) -> Visibility:
        """Return the visibility at a time; that of three neighbouring times is cached."""
        if time not in self._visibility:
            _make_room(self._visibility, time)
            world = self.world
            self._visibility[time] = look(world.points(time), world.surface.triangles, world.camera.lens)
        return self._visibility[time]

    def motion(self, time: int, other: int) -> SurfaceMotion:
        """Return the exact flow from one time to another, and the occlusion mask."""
        return motion(self.visibility(time), self.visibility(other), self.world.surface.triangles)

    def instances(self, time: int) -> InstanceMap:
        """Return the number of the object visible at each pixel."""
        # the samples at the pixel centres
        seen = self.visibility(time).seen[SAMPLES // 2 :: SAMPLES, SAMPLES // 2 :: SAMPLES]
        # EMPTY (-1) indexes the last triangle, but `where` ignores that value
        return np.where(seen == EMPTY, 0, self.world.owners[seen])

    def clean(self, time: int) -> Float32[np.ndarray, "height width 3"]:
        """Return the clean picture in grey levels; three neighbouring times are cached."""
        if time not in self._clean:
            _make_room(self._clean, time)
            world = self.world
            picture = shade(
                self.visibility(time), world.surface, world.normals(time), world.light(time), self._softness
            )
            blurred = cv2.GaussianBlur(picture, (0, 0), self._lens_blur) if self._lens_blur > 0 else picture
            self._clean[time] = blurred
        return self._clean[time]

    def final(self, time: int, clean: Float32[np.ndarray, "height width 3"], into_future: FlowArray) -> Frame:
        """Return the final picture, made from the clean picture and the motion."""
        return finish(clean, depth_of(self.visibility(time)), into_future, self._effects, time)

    def pair(self, first: int, rendering: str = "clean") -> RenderedPair:
        """Return two neighbouring frames without rendering the rest of the sequence. They are bitwise equal to those of
        the sequence."""
        check_rendering(rendering)
        forward, backward = self.motion(first, first + 1), self.motion(first + 1, first)
        return RenderedPair(
            first=self._rendered(first, rendering, forward),
            second=self._rendered(first + 1, rendering),
            forward=forward.flow,
            backward=backward.flow,
            first_occluded=forward.occluded,
            second_occluded=backward.occluded,
            first_instances=self.instances(first),
            second_instances=self.instances(first + 1),
        )

    def _rendered(self, time: int, rendering: str, into_future: SurfaceMotion | None = None) -> Frame:
        clean = self.clean(time)
        if rendering == "clean":
            return as_levels(clean)
        return self.final(time, clean, (into_future or self.motion(time, time + 1)).flow)

    def frame(self, time: int) -> ThingsFrame:
        """Return a frame with its complete ground truth."""
        camera = self.world.camera
        future, past = self.motion(time, time + 1), self.motion(time, time - 1)
        clean = self.clean(time)
        centre = camera.lens.centre
        # 3 x 3
        intrinsics = np.array([[camera.lens.focal, 0, centre[0]], [0, camera.lens.focal, centre[1]], [0, 0, 1.0]])
        return ThingsFrame(
            clean=as_levels(clean),
            final=self.final(time, clean, future.flow),
            into_future=future.flow,
            into_past=past.flow,
            hidden_in_future=future.occluded,
            hidden_in_past=past.occluded,
            instances=self.instances(time),
            depth=depth_of(self.visibility(time)),
            intrinsics=intrinsics,
            extrinsics=camera.pose(time).matrix,
        )


def _make_room(kept: dict[int, Any], time: int) -> None:
    """Remove the cached time that is farthest from `time` if three are cached."""
    if len(kept) == 3:
        del kept[max(kept, key=lambda other: abs(other - time))]


def as_levels(picture: Float32[np.ndarray, "height width 3"]) -> Frame:
    """Round grey levels to 8 bits."""
    return np.rint(np.clip(picture, 0.0, 255.0)).astype(np.uint8)
