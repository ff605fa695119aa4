"""Flat textured layers that move between two frames, and their rendering with exact flow and occlusion."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from opticflow.scenes import raster
from opticflow.scenes.rendered import InstanceMap, RenderedPair
from opticflow.shapes import FlowArray, Frame, MaskArray

Texture = UInt8[np.ndarray, "_rows _columns 4"]
Homography = Float64[np.ndarray, "3 3"]

_RIGID = np.zeros((2, 2, 2), np.float32)  # 2 x 2 nodes x (s, t), no displacement


@dataclass(frozen=True)
class Deformation:
    """A non-rigid deformation of a layer between the frames: displacements on a coarse lattice, in texels."""

    lattice: Float32[np.ndarray, "rows columns 2"]
    """Displacement (s, t) at the texture positions (column * step, row * step). Between the nodes it is interpolated
    bilinearly; outside the lattice it continues with the value at the border."""
    step: float
    """Spacing of the lattice nodes in texels. Between neighbouring nodes the displacement must change by less than half
    of the spacing, so that the deformed layer does not fold over itself."""


@dataclass(frozen=True)
class Layer:
    """A flat textured object and its position in the two frames.

    A point with texture coordinates (s, t) is at `first @ (s, t, 1)` in the first frame and at
    `second @ ((s, t) + deformation, 1)` in the second; so its flow is exact.
    """

    texture: Texture
    """RGBA texture, band-limited, with colours premultiplied by alpha."""
    first: Homography
    """Homography from the texture to the first frame, in pixels."""
    second: Homography
    """Homography from the texture to the second frame, in pixels."""
    deformation: Deformation | None = None
    endless: bool = False
    """Whether the texture is repeated by reflection beyond its borders; otherwise it is transparent there."""
    gain: Float32[np.ndarray, "3"] = field(default_factory=lambda: np.ones(3, np.float32))
    """Factor applied to red, green and blue; the same in both frames."""
    opacity: float = 1.0
    """Factor applied to alpha; the same in both frames. Where a layer hides at most half of the light from behind it,
    the flow is that of the layers behind it."""

    @property
    def rests(self) -> bool:
        """Whether the layer is static, so that its flow is exactly zero. See `settled`."""
        return self.second is self.first and self.deformation is None


def settled(layer: Layer) -> Layer:
    """Return the layer itself, or a copy that is exactly at rest if its positions in both frames differ only by
    rounding errors."""
    moves = layer.deformation is not None or not np.allclose(layer.first, layer.second, rtol=1e-12, atol=1e-12)
    return layer if moves else replace(layer, second=layer.first)


@dataclass(frozen=True)
class _View:
    """A layer and its position in one of the two frames."""

    layer: Layer
    matrix: Homography
    inverse: Homography
    deformed: bool
    box: tuple[int, int, int, int]

    @property
    def bending(self) -> tuple[np.ndarray, float]:
        deformation = self.layer.deformation
        return (_RIGID, 1.0) if deformation is None else (deformation.lattice, deformation.step)


def render(layers: Sequence[Layer], height: int, width: int, *, name: str = "") -> RenderedPair:
    """Render two frames of a stack of layers with flow and occlusion; `layers` is ordered from back to front.

    A pixel belongs to the topmost layer that hides more than half of the light from behind it at the centre of the
    pixel; the flow of the pixel is the flow of that layer. The pixel is occluded if its point leaves the frame (beyond
    the centres of the outermost pixels), or if another layer hides the point in the other frame. The second test uses
    the exact sub-pixel position of the point.
    """
    views = [_views(layer, height, width) for layer in layers]
    first, first_instances = _draw([view for view, _ in views], height, width)
    second, second_instances = _draw([view for _, view in views], height, width)
    forward, first_occluded = _follow(views, first_instances, second_instances)
    # for the backward flow, swap the two views of each layer
    swapped = [(there, here) for here, there in views]
    backward, second_occluded = _follow(swapped, second_instances, first_instances)
    return RenderedPair(
        first=first,
        second=second,
        forward=forward,
        backward=backward,
        first_occluded=first_occluded,
        second_occluded=second_occluded,
        first_instances=first_instances,
        second_instances=second_instances,
        name=name,
    )


def bounds(
    matrix: Homography, rows: int, columns: int, height: int, width: int, *, margin: float = 1.0
) -> tuple[int, int, int, int]:
    """Return the bounding box of the pixels that a texture can cover: top, bottom, left and right; bottom and right are
    exclusive. The box is enlarged by `margin` pixels and clipped to the frame."""
    corners = np.array([[0, columns, 0, columns], [0, 0, rows, rows], [1, 1, 1, 1]], dtype=np.float64)  # 3 x 4
    x, y, depth = matrix @ corners
    # a texture with a corner behind the camera has an unbounded image
    if (depth <= 1e-9).any():
        return 0, height, 0, width
    x, y = x / depth, y / depth
    top, bottom = max(0, int(np.floor(y.min() - margin))), min(height, int(np.ceil(y.max() + margin)) + 1)
    left, right = max(0, int(np.floor(x.min() - margin))), min(width, int(np.ceil(x.max() + margin)) + 1)
    return top, max(top, bottom), left, max(left, right)


def _views(layer: Layer, height: int, width: int) -> tuple[_View, _View]:
    views = []
    for matrix, deformed in ((layer.first, False), (layer.second, layer.deformation is not None)):
        box = (0, height, 0, width)
        if not layer.endless:
            reach = 1.0
            # enlarge the box of a deformed layer by its largest displacement, converted to pixels
            if deformed and layer.deformation is not None:
                reach += float(np.abs(layer.deformation.lattice).max()) * float(
                    np.abs(matrix[:2, :2]).sum(axis=1).max()
                )
            rows, columns = layer.texture.shape[:2]
            box = bounds(matrix, rows, columns, height, width, margin=reach)
        views.append(_View(layer, matrix, np.linalg.inv(matrix), deformed, box))
    return views[0], views[1]


def _draw(views: Sequence[_View], height: int, width: int) -> tuple[Frame, InstanceMap]:
    canvas = np.zeros((height, width, 3), np.float32)  # grey levels
    instances = np.zeros((height, width), np.int32)
    for identity, view in enumerate(views):
        layer = view.layer
        raster.draw(
            canvas,
            instances,
            layer.texture,
            layer.endless,
            view.inverse,
            *view.bending,
            view.deformed,
            layer.gain,
            np.float32(layer.opacity),
            identity,
            view.box,
        )
    frame = np.empty((height, width, 3), np.uint8)
    raster.quantise(canvas, frame)
    return frame, instances


def _follow(
    views: Sequence[tuple[_View, _View]], instances: InstanceMap, others: InstanceMap
) -> tuple[FlowArray, MaskArray]:
    """Compute the flow and the occlusion mask of one frame.

    Args:
        views: for each layer, its position in this frame and in the other one.
        instances: instance map of this frame.
        others: instance map of the other frame.
    """
    height, width = instances.shape
    flow = np.zeros((height, width, 2), np.float32)
    state = np.zeros((height, width), np.uint8)  # 0 visible, 1 out of the frame, 2 possibly hidden
    for identity, (here, there) in enumerate(views):
        # a static layer keeps zero flow, so only its occlusion must be computed
        if here.layer.rests:
            state[(instances == identity) & (others != identity)] = 2
            continue
        raster.follow(
            flow,
            state,
            instances,
            others,
            here.inverse,
            there.matrix,
            *here.bending,
            here.deformed,
            there.deformed,
            identity,
            here.box,
        )
    occluded = state == 1
    # only points near another layer need the test against all layers at their exact positions
    y, x = np.nonzero(state == 2)
    points = flow[y, x].astype(np.float64) + np.stack([x, y], axis=-1)  # N x 2, (x, y) in the other frame
    identities = instances[y, x]
    hidden = np.zeros(len(points), bool)
    for identity, (_, there) in enumerate(views):
        layer = there.layer
        raster.hide(
            hidden,
            points,
            identities,
            layer.texture,
            layer.endless,
            there.inverse,
            *there.bending,
            there.deformed,
            layer.opacity,
            identity,
        )
    occluded[y, x] = hidden
    return flow, occluded
