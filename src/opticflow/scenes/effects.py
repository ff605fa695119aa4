"""Effects of camera, light and weather on the rendered frames of a pair. They do not change the flow."""

from dataclasses import replace
from typing import no_type_check

import cv2
import numpy as np
from jaxtyping import Float32
from numba import njit

from opticflow.scenes import noise, outlines
from opticflow.scenes.mixed_config import EffectsConfig, Range
from opticflow.scenes.rendered import RenderedPair
from opticflow.shapes import FlowArray, Frame

Canvas = Float32[np.ndarray, "height width 3"]

LONGEST_BLUR = 48
"""Maximum length of the motion blur, in pixels."""


def apply_effects(rng: np.random.Generator, pair: RenderedPair, effects: EffectsConfig) -> RenderedPair:
    """Return the pair with random effects applied to both frames; flow and occlusion do not change."""
    if rng.random() < effects.clean_share:
        return pair
    frames = [pair.first.astype(np.float32), pair.second.astype(np.float32)]  # H x W x 3 each, grey levels
    if rng.random() < effects.shadow_share:
        frames = _patches(rng, frames, -rng.uniform(*effects.shadow), softness=rng.uniform(1, 20))
    if rng.random() < effects.motion_blur_share:
        shutter = rng.uniform(*effects.shutter)
        frames = [
            motion_blur(frame, flow * np.float32(shutter))
            for frame, flow in zip(frames, (pair.forward, pair.backward), strict=True)
        ]
    if rng.random() < effects.fog_share:
        frames = _fog(rng, frames, rng.uniform(*effects.fog))
    if rng.random() < effects.highlight_share:
        frames = _patches(rng, frames, rng.uniform(0.3, 2.0), softness=rng.uniform(4, 30))
    if rng.random() < effects.defocus_share:
        frames = _defocus(rng, frames, rng.uniform(*effects.defocus))
    gamma = rng.uniform(*effects.grading)
    changes = rng.normal(0, effects.exposure, (2, 3)) * [[0.15] * 3, [1.0] * 3]  # 2 frames x 3 channels, octaves
    if rng.random() < effects.exposure_share:
        # the exposure change is similar in all channels
        changes[1] = changes[1].mean() + 0.2 * changes[1]
    else:
        changes[1] = 0
    common = rng.normal(0, 0.1, 3)  # octaves
    frames = [_grade(frame, gamma, 2 ** (common + change)) for frame, change in zip(frames, changes, strict=True)]
    if rng.random() < effects.noise_share:
        frames = _noise(rng, frames, _log_uniform(rng, effects.noise))
    out = [np.clip(np.rint(frame), 0, 255).astype(np.uint8) for frame in frames]
    if rng.random() < effects.compression_share:
        low, high = effects.compression
        quality = int(rng.integers(low, high + 1))
        change = int(rng.integers(-effects.compression_change, effects.compression_change + 1))
        out = [_compress(out[0], quality), _compress(out[1], int(np.clip(quality + change, 1, 100)))]

    return replace(pair, first=out[0], second=out[1])


def motion_blur(canvas: Canvas, motion: FlowArray, longest: float = LONGEST_BLUR) -> Canvas:
    """Apply motion blur: average each pixel along the motion of its surface, over at most `longest` pixels.

    The streak is centred on the pixel, so that the flow still holds for the middle of the exposure. A pixel near a
    faster surface uses the motion of that surface (after McGuire et al., "A reconstruction filter for plausible motion
    blur", I3D 2012), so that the borders of moving objects are blurred too.

    Args:
        motion: displacement of each pixel during the exposure.
    """
    speed = np.hypot(motion[..., 0], motion[..., 1])
    reach = int(min(longest, speed.max())) // 2  # in pixels, on each side
    out = np.empty_like(canvas)
    swept = motion
    if reach >= 2:
        # at a quarter of the size, the search for the fastest motion nearby is accurate enough and much faster
        small = cv2.resize(motion, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_NEAREST)
        swept = cv2.resize(_fastest(small, max(1, reach // 4)), motion.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    _average(out, canvas, motion, np.ascontiguousarray(swept), np.float32(longest))
    return out


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _fastest(motion, reach):
    """Return the fastest motion within a square of `reach` pixels on each side of each pixel."""
    height, width = motion.shape[:2]
    rows, out = motion.copy(), motion.copy()
    # the maximum over a square is separable: first along rows, then along columns
    for y in range(height):
        for x in range(width):
            best = np.float32(-1)
            for k in range(max(0, x - reach), min(width, x + reach + 1)):
                speed = motion[y, k, 0] ** 2 + motion[y, k, 1] ** 2
                if speed > best:
                    best = speed
                    rows[y, x] = motion[y, k]
    for y in range(height):
        for x in range(width):
            best = np.float32(-1)
            for k in range(max(0, y - reach), min(height, y + reach + 1)):
                speed = rows[k, x, 0] ** 2 + rows[k, x, 1] ** 2
                if speed > best:
                    best = speed
                    out[y, x] = rows[k, x]
    return out


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _average(out, canvas, motion, swept, longest):
    """Average the colours along the motion `swept` and write them to `out`. A sample counts only if the streak of the
    pixel's own surface, or of the surface at the sample, is long enough to connect the two."""
    height, width = canvas.shape[:2]
    for y in range(height):
        for x in range(width):
            u, v = swept[y, x, 0], swept[y, x, 1]
            length = np.sqrt(u * u + v * v)
            # a streak of less than half a pixel has no visible effect
            if length < 0.5:
                for c in range(3):
                    out[y, x, c] = canvas[y, x, c]
                continue
            if length > longest:
                u, v = u * longest / length, v * longest / length
                length = longest
            own = np.sqrt(motion[y, x, 0] ** 2 + motion[y, x, 1] ** 2)
            count = min(17, 2 * (int(length) // 2) + 3)  # odd, so that the pixel itself is one of the samples
            red, green, blue, total = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
            for n in range(count):
                at = np.float32(n) / (count - 1) - np.float32(0.5)
                j = min(max(int(x + at * u + np.float32(0.5)), 0), width - 1)
                i = min(max(int(y + at * v + np.float32(0.5)), 0), height - 1)
                distance = abs(at) * length
                there = np.sqrt(motion[i, j, 0] ** 2 + motion[i, j, 1] ** 2)
                # a streak extends by half of its length to each side, so it must be twice as long as the distance
                weight = np.float32(1) if 2 * distance <= max(there, own) + 1 else np.float32(0)
                red += weight * canvas[i, j, 0]
                green += weight * canvas[i, j, 1]
                blue += weight * canvas[i, j, 2]
                total += weight
            out[y, x, 0], out[y, x, 1], out[y, x, 2] = red / total, green / total, blue / total


def _patches(rng: np.random.Generator, frames: list[Canvas], strength: float, softness: float) -> list[Canvas]:
    """Darken or brighten a few soft patches that drift independently of the scene; a negative strength darkens."""
    height, width = frames[0].shape[:2]
    masks = np.zeros((2, height // 2, width // 2), np.float32)  # 2 frames x H/2 x W/2
    for _ in range(int(rng.integers(1, 4))):
        corners = outlines.outline(rng, "blob", 32) * (rng.uniform(0.05, 0.4) * width / 2)  # 32 x 2, pixels of the mask
        centre = rng.uniform(0, 1, 2) * (width / 2, height / 2)
        drift = rng.normal(0, 6, 2)  # pixels of the mask from frame to frame
        for mask, place in zip(masks, (centre, centre + drift), strict=True):
            cv2.fillPoly(mask, [np.round((corners + place) * 16).astype(np.int32)], (1.0,), cv2.LINE_8, shift=4)
    out = []
    for frame, mask in zip(frames, masks, strict=True):
        soft = cv2.resize(cv2.GaussianBlur(mask, (0, 0), softness / 2), (width, height))
        out.append(frame * (1 + np.float32(strength) * soft)[..., None])
    return out


def _fog(rng: np.random.Generator, frames: list[Canvas], density: float) -> list[Canvas]:
    """Add static bright fog, denser in clouds and mostly towards the top; it replaces a share of the light."""
    height, width = frames[0].shape[:2]
    clouds = noise.fractal(rng, height // 4, width // 4, coarsest=64, persistence=0.5)
    ramp = np.linspace(rng.uniform(0.3, 1.5), rng.uniform(0, 1), height // 4, dtype=np.float32)[:, None]
    veil = np.clip(np.float32(density) * (ramp + np.float32(rng.uniform(0, 0.4)) * clouds), 0, 0.85)  # H/4 x W/4
    veil = cv2.resize(veil, (width, height))[..., None]
    colour = np.float32(rng.uniform(110, 235)) + rng.normal(0, 10, 3).astype(np.float32)
    return [frame + veil * (colour - frame) for frame in frames]


def _defocus(rng: np.random.Generator, frames: list[Canvas], sigma: float) -> list[Canvas]:
    """Apply defocus blur to the whole frame, or increasingly towards one side as with a shallow depth of field."""
    height, width = frames[0].shape[:2]
    blurred = [cv2.GaussianBlur(frame, (0, 0), sigma) for frame in frames]
    if rng.random() < 0.5:
        return blurred
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    share = np.clip(np.cos(angle) * x + np.sin(angle) * y + 0.5, 0, 1).astype(np.float32)[..., None]  # H x W x 1
    return [sharp + share * (soft - sharp) for sharp, soft in zip(frames, blurred, strict=True)]


def _grade(frame: Canvas, gamma: float, gain: np.ndarray) -> Canvas:
    """Apply a gain per channel, clip to the range as a sensor does, and apply the gamma."""
    scaled = np.clip(frame * (gain / 255).astype(np.float32), 0, 1)
    return cv2.pow(scaled, gamma) * np.float32(255)


def _noise(rng: np.random.Generator, frames: list[Canvas], deviation: float) -> list[Canvas]:
    """Add photon and read-out noise, independent in each frame; sometimes in blotches as after demosaicing."""
    blotched = rng.random() < 0.4
    out = []
    for frame in frames:
        grain = rng.standard_normal(frame.shape, dtype=np.float32)
        if blotched:
            grain = cv2.GaussianBlur(grain, (0, 0), 0.8) * np.float32(2.5)  # restores most of the lost contrast
        # photon noise grows with the square root of the light; the constant models read-out noise
        strength = np.sqrt(frame / np.float32(128) + np.float32(0.3)) * np.float32(deviation)
        out.append(frame + strength * grain)
    return out


def _compress(frame: Frame, quality: int) -> Frame:
    """Compress a frame to JPEG and decompress it; OpenCV expects BGR, which matters for the chroma subsampling."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), dtype=np.uint8)


def _log_uniform(rng: np.random.Generator, bounds: Range) -> float:
    low, high = bounds
    return float(low * (high / low) ** rng.random())
