"""Compiled kernels that draw layers and track their points, with bilinear interpolation at unrounded coordinates.

OpenCV before version 5 rounds coordinates to 1/32 px in `remap` and `warpAffine`. With OpenCV, each step of the
blending also passes over the memory again; these kernels need one pass and are four times as fast as OpenCV 5
(benchmarks/layer_drawing.py).

Convention: pixel and texel (0, 0) have their centres at (0.0, 0.0). A point of a layer has texture coordinates (s, t).
Its position in a frame is `matrix @ (s, t, 1)`, where `matrix` is a homography. If the layer is deformed in this frame,
the position is `matrix @ ((s, t) + D(s, t), 1)`; D is the displacement in texels, interpolated from a coarse lattice.

The kernels have no type annotations: Numba compiles them, and the shape checks of the tests cannot wrap compiled code.
"""

from typing import no_type_check

import numpy as np
from numba import njit

MAXIMUM_STEPS = 40
TOLERANCE = 1e-5
"""Tolerance, in texels, of the fixed-point iteration that inverts a deformation. The iteration is a contraction, as the
slope of deformations is below one half; so the remaining error is of the same size."""


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
@no_type_check
def _displacement(lattice, step, s, t):
    rows, columns = lattice.shape[0], lattice.shape[1]
    # in cells of the lattice; clamped, so that the displacement at the border continues outside
    a = min(max(s / step, 0.0), columns - 1.000001)
    b = min(max(t / step, 0.0), rows - 1.000001)
    i, j = int(b), int(a)
    a -= j
    b -= i
    w00, w01, w10, w11 = (1 - b) * (1 - a), (1 - b) * a, b * (1 - a), b * a  # bilinear weights
    ds = w00 * lattice[i, j, 0] + w01 * lattice[i, j + 1, 0] + w10 * lattice[i + 1, j, 0]
    dt = w00 * lattice[i, j, 1] + w01 * lattice[i, j + 1, 1] + w10 * lattice[i + 1, j, 1]
    return ds + w11 * lattice[i + 1, j + 1, 0], dt + w11 * lattice[i + 1, j + 1, 1]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
@no_type_check
def _undeform(lattice, step, s, t, ds, dt):
    """Solve q + D(q) = (s, t) for q, starting from the guess D = (ds, dt); return D(q)."""
    # the fixed-point iteration D <- D((s, t) - D) converges, as it is a contraction
    for _ in range(MAXIMUM_STEPS):
        es, et = _displacement(lattice, step, s - ds, t - dt)
        change = abs(es - ds) + abs(et - dt)
        ds, dt = es, et
        if change < TOLERANCE:
            break
    return ds, dt


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
@no_type_check
def _mirror(s, size):
    """Reflect a coordinate at the borders into [0, size - 1]."""
    if s >= 0.0 and s <= size - 1:
        return s
    period = 2.0 * (size - 1)  # forwards and back
    s = s % period
    return period - s if s > size - 1 else s


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
@no_type_check
def _alpha(texture, endless, s, t):
    rows, columns = texture.shape[0], texture.shape[1]
    if endless:
        s, t = _mirror(s, columns), _mirror(t, rows)
    elif not (s >= 0.0 and t >= 0.0 and s <= columns - 1 and t <= rows - 1):
        return 0.0
    # a point at the last texel uses the cell before it, so that all four neighbours exist
    j, i = min(int(s), columns - 2), min(int(t), rows - 2)
    a, b = s - j, t - i
    # in floating point: differences of bytes would wrap around
    upper = texture[i, j, 3] + a * (np.float64(texture[i, j + 1, 3]) - texture[i, j, 3])
    lower = texture[i + 1, j, 3] + a * (np.float64(texture[i + 1, j + 1, 3]) - texture[i + 1, j, 3])
    return upper + b * (lower - upper)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def draw(canvas, instances, texture, endless, inverse, lattice, step, deformed, gain, opacity, identity, box):
    """Draw one layer over a canvas, and set the instance of pixels where it hides over half of the background.

    Args:
        canvas: height x width x 3 float32 in [0, 255], changed in place.
        instances: height x width int32, changed in place; decided at the centre of each pixel.
        texture: uint8 RGBA, premultiplied by alpha.
        inverse: 3 x 3 homography from the frame to the texture.
        box: top, bottom, left and right of the pixels to visit; bottom and right are exclusive.
    """
    rows, columns = texture.shape[0], texture.shape[1]
    # for an affine map the homogeneous coordinate is always 1, so no division is needed
    affine = inverse[2, 0] == 0.0 and inverse[2, 1] == 0.0 and inverse[2, 2] == 1.0
    for y in range(box[0], box[1]):
        s0, t0 = inverse[0, 1] * y + inverse[0, 2], inverse[1, 1] * y + inverse[1, 2]
        depth0 = inverse[2, 1] * y + inverse[2, 2]
        # the displacement at one pixel is the initial guess for the next one
        ds, dt = 0.0, 0.0
        for x in range(box[2], box[3]):
            s, t = s0 + inverse[0, 0] * x, t0 + inverse[1, 0] * x
            if not affine:
                depth = depth0 + inverse[2, 0] * x
                # points behind the camera are not visible
                if depth <= 1e-9:
                    continue
                s, t = s / depth, t / depth
            if deformed:
                ds, dt = _undeform(lattice, step, s, t, ds, dt)
                s, t = s - ds, t - dt
            if endless:
                s, t = _mirror(s, columns), _mirror(t, rows)
            elif not (s >= 0.0 and t >= 0.0 and s <= columns - 1 and t <= rows - 1):
                continue
            j, i = min(int(s), columns - 2), min(int(t), rows - 2)
            a, b = np.float32(s - j), np.float32(t - i)
            # bilinear weights with a single multiplication
            w11 = a * b
            w01, w10 = a - w11, b - w11
            w00 = np.float32(1) - a - w10
            alpha = (
                w00 * texture[i, j, 3]
                + w01 * texture[i, j + 1, 3]
                + w10 * texture[i + 1, j, 3]
                + w11 * texture[i + 1, j + 1, 3]
            ) * opacity
            if alpha <= np.float32(0):
                continue
            through = np.float32(1) - alpha / np.float32(255)  # share of the background that shows through
            # "over" operator for premultiplied colours (Porter and Duff, 1984); no colour may exceed alpha
            for c in range(3):
                value = (
                    w00 * texture[i, j, c]
                    + w01 * texture[i, j + 1, c]
                    + w10 * texture[i + 1, j, c]
                    + w11 * texture[i + 1, j + 1, c]
                ) * (gain[c] * opacity)
                canvas[y, x, c] = through * canvas[y, x, c] + min(value, alpha)
            if alpha > np.float32(127.5):
                instances[y, x] = identity


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def follow(
    flow, state, instances, others, inverse, matrix, lattice, step, deformed_here, deformed_there, identity, box
):
    """Track the visible points of one layer from this frame into the other frame, and set their flow.

    Args:
        flow: height x width x 2 float32, set where `instances` is `identity`.
        state: height x width uint8, set at the same pixels: 0 visible in the other frame, 1 outside the other frame,
            2 near another layer in the other frame.
        instances: instance map of this frame.
        others: instance map of the other frame.
        inverse: homography from this frame to the texture.
        matrix: homography from the texture to the other frame.
        box: top, bottom, left and right of the pixels to visit; bottom and right are exclusive.
    """
    height, width = instances.shape
    for y in range(box[0], box[1]):
        ds, dt = 0.0, 0.0
        for x in range(box[2], box[3]):
            if instances[y, x] != identity:
                continue
            # homogeneous coordinate of the texture point
            depth = inverse[2, 0] * x + inverse[2, 1] * y + inverse[2, 2]
            s = (inverse[0, 0] * x + inverse[0, 1] * y + inverse[0, 2]) / depth
            t = (inverse[1, 0] * x + inverse[1, 1] * y + inverse[1, 2]) / depth
            # convert to coordinates of the undeformed texture, which are the same in both frames
            if deformed_here:
                ds, dt = _undeform(lattice, step, s, t, ds, dt)
                s, t = s - ds, t - dt
            if deformed_there:
                es, et = _displacement(lattice, step, s, t)
                s, t = s + es, t + et
            depth = matrix[2, 0] * s + matrix[2, 1] * t + matrix[2, 2]
            u = (matrix[0, 0] * s + matrix[0, 1] * t + matrix[0, 2]) / depth
            v = (matrix[1, 0] * s + matrix[1, 1] * t + matrix[1, 2]) / depth
            flow[y, x, 0] = u - x
            flow[y, x, 1] = v - y
            # the frame ends at the centres of its outermost pixels
            if not (depth > 1e-9 and u >= 0.0 and v >= 0.0 and u <= width - 1 and v <= height - 1):
                state[y, x] = 1
                continue
            j, i = min(int(u), width - 2), min(int(v), height - 2)
            # a point between four pixels of its own layer is visible; otherwise `hide` decides
            whole = (
                others[i, j] == identity
                and others[i, j + 1] == identity
                and others[i + 1, j] == identity
                and others[i + 1, j + 1] == identity
            )
            state[y, x] = 0 if whole else 2


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def hide(hidden, points, identities, texture, endless, inverse, lattice, step, deformed, opacity, identity):
    """Mark the points of lower layers that one layer occludes.

    Args:
        hidden: N bool, changed in place.
        points: N x 2 float64, positions (x, y) in a frame.
        identities: N numbers of the layers to which the points belong.
        identity: number of the layer that may occlude them.
    """
    for n in range(len(points)):
        # layers are drawn in the order of their numbers, so only a layer with a higher number can hide a point
        if hidden[n] or identities[n] >= identity:
            continue
        x, y = points[n, 0], points[n, 1]
        depth = inverse[2, 0] * x + inverse[2, 1] * y + inverse[2, 2]
        if depth <= 1e-9:
            continue
        s = (inverse[0, 0] * x + inverse[0, 1] * y + inverse[0, 2]) / depth
        t = (inverse[1, 0] * x + inverse[1, 1] * y + inverse[1, 2]) / depth
        if deformed:
            ds, dt = _undeform(lattice, step, s, t, 0.0, 0.0)
            s, t = s - ds, t - dt
        # as in `draw`, a point is hidden where the layer covers more than half of the background
        hidden[n] = _alpha(texture, endless, s, t) * opacity > 127.5


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def quantise(canvas, frame):
    """Round a float32 canvas to uint8, clip it to [0, 255], and write it to `frame`."""
    height, width, channels = canvas.shape
    for y in range(height):
        for x in range(width):
            for c in range(channels):
                frame[y, x, c] = np.uint8(min(max(canvas[y, x, c] + np.float32(0.5), np.float32(0)), np.float32(255)))
