"""Photometric augmentation: changes of the frames that leave the flow unchanged."""

from dataclasses import dataclass, fields, replace

import cv2
import numpy as np

from opticflow.data.augmentation.spread import ALWAYS_0, ALWAYS_1, Spread
from opticflow.data.augmentation.steps import Step
from opticflow.shapes import Frame, Sample

LEVELS = np.arange(256, dtype=np.float32) / 255  # grey levels, from 0 to 1


@dataclass(frozen=True)
class Tone:
    """Distribution of a colour change, applied in Caffe's order: a factor on each channel, with the brightness of the
    pixel kept; gamma; added brightness; contrast about the middle grey."""

    colour: Spread = ALWAYS_1
    """Factor of each channel."""
    gamma: Spread = ALWAYS_1
    """Exponent of values in [0, 1]."""
    brightness: Spread = ALWAYS_0
    """Offset added to values in [0, 1]."""
    contrast: Spread = ALWAYS_1
    """Factor of the difference from one half."""

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Draw six numbers: the factors of red, green and blue, gamma, brightness, contrast."""
        colour = [self.colour.draw(rng) for _ in range(3)]
        return np.array([*colour, self.gamma.draw(rng), self.brightness.draw(rng), self.contrast.draw(rng)])

    def scaled_down(self, share: float) -> "Tone":
        """Return this distribution with each spread multiplied by `share`."""
        return Tone(*(getattr(self, field.name).scaled_down(share) for field in fields(self)))


def toned(frame: Frame, values: np.ndarray) -> Frame:
    """Apply a change that `Tone.draw` has returned to a frame."""
    colour, (gamma, brightness, contrast) = values[:3], values[3:]
    if (colour != 1).any():
        values = frame.astype(np.float32)
        changed = cv2.transform(values, np.diag(colour))  # H x W x 3, grey levels
        # H x W each, sums of the channels
        before, after = (cv2.transform(picture, np.ones((1, 3))) for picture in (values, changed))
        kept = before / (after + 1)  # + 1 grey level avoids division by zero
        frame = cv2.multiply(changed, cv2.merge([kept, kept, kept]), dtype=cv2.CV_8U)
    # these three changes act on single values, so one lookup table applies them all
    table = np.clip((LEVELS**gamma + brightness - 0.5) * contrast + 0.5, 0, 1)
    return cv2.LUT(frame, np.rint(table * 255).astype(np.uint8))


@dataclass(frozen=True)
class Tones:
    """The colour changes that a `Toning` has drawn for both frames."""

    first: np.ndarray
    """Six numbers for the first frame, as `Tone.draw` returns them."""
    second: np.ndarray

    def apply(self, sample: Sample) -> Sample:
        """Return the sample with changed colours."""
        return sample.replace(first=toned(sample.first, self.first), second=toned(sample.second, self.second))


@dataclass(frozen=True)
class Toning(Step):
    """FlowNet's colour augmentation."""

    both: Tone = Tone()
    second: Tone = Tone()
    """Additional change of the second frame: factors are multiplied, brightness is added."""

    def draw(self, rng: np.random.Generator) -> Tones:
        """Draw the changes of both frames."""
        values, more = self.both.draw(rng), self.second.draw(rng)
        joined = values * more
        joined[4] = values[4] + more[4]  # brightness is an offset, not a factor
        return Tones(values, joined)

    def scaled_down(self, share: float) -> "Toning":
        """Return this distribution with each spread multiplied by `share`."""
        return Toning(self.both.scaled_down(share), self.second.scaled_down(share))


@dataclass(frozen=True)
class Grain:
    """The noise that a `Noise` has drawn for both frames."""

    deviation: float
    """Standard deviation in grey levels."""
    seeds: tuple[int, int]
    """Seeds of the noise of the first frame and of the second."""

    def apply(self, sample: Sample) -> Sample:
        """Return the sample with noise."""
        noise = np.empty(sample.first.shape, dtype=np.float32)  # H x W x 3, used for both frames in turn

        def noisy(frame: Frame, seed: int) -> Frame:
            cv2.setRNGSeed(seed)  # OpenCV's generator is six times as fast as NumPy's
            return cv2.add(frame, cv2.randn(noise, np.zeros(1), np.array([self.deviation])), dtype=cv2.CV_8U)

        return sample.replace(first=noisy(sample.first, self.seeds[0]), second=noisy(sample.second, self.seeds[1]))


@dataclass(frozen=True)
class Noise(Step):
    """Gaussian noise, independent in both frames, with the same standard deviation."""

    deviation: Spread
    """Distribution of the standard deviation, for values in [0, 1]."""

    def draw(self, rng: np.random.Generator) -> Grain:
        """Draw the standard deviation and the seeds of the noise."""
        return Grain(255 * self.deviation.draw(rng), (int(rng.integers(2**31)), int(rng.integers(2**31))))

    def scaled_down(self, share: float) -> "Noise":
        """Return this distribution with its spread multiplied by `share`."""
        return Noise(self.deviation.scaled_down(share))


@dataclass(frozen=True)
class Colouring:
    """The colour change that a `ColourJitter` has drawn for one picture."""

    brightness: float
    """Factor on all values; contrast and saturation are factors too."""
    contrast: float
    saturation: float
    turn: int
    """Shift of the hue, in 256ths of the circle."""
    order: tuple[int, ...]
    """The order in which brightness (0), contrast (1), saturation (2) and hue (3) are changed."""

    def apply(self, picture: Frame) -> Frame:
        """Return the picture with changed colours."""
        for change in self.order:
            match change:
                # every change is rounded to 8 bits, as in torchvision for PIL images
                case 0:
                    picture = cv2.convertScaleAbs(picture, alpha=self.brightness)
                case 1:
                    picture = cv2.LUT(picture, _about(_mean_grey(picture), self.contrast))
                case 2:
                    # as in torchvision: a blend of the picture and its grey version
                    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
                    picture = cv2.addWeighted(picture, self.saturation, grey, 1 - self.saturation, 0)
                case 3 if self.turn != 0:
                    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV_FULL)
                    hsv[..., 0] += np.uint8(self.turn % 256)  # wraps around, as hues do
                    picture = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL)
        return picture


@dataclass(frozen=True)
class Jitter:
    """The colour changes that a `ColourJitter` has drawn for both frames."""

    first: Colouring
    second: Colouring | None
    """The change of the second frame; None if both frames are changed together as one picture."""

    def apply(self, sample: Sample) -> Sample:
        """Return the sample with changed colours."""
        if self.second is not None:
            return sample.replace(first=self.first.apply(sample.first), second=self.second.apply(sample.second))
        # as one picture, both frames share the mean grey that the contrast change uses
        first, second = np.split(self.first.apply(np.concatenate([sample.first, sample.second])), 2)
        return sample.replace(first=first, second=second)


@dataclass(frozen=True)
class ColourJitter(Step):
    """RAFT's photometric augmentation: torchvision's ColorJitter, on both frames together or on each separately.

    Brightness, contrast, saturation and hue change in random order, in 8 bits as in torchvision. Contrast changes about
    the mean grey of the crop, or of both crops if they change together; RAFT uses the mean grey of the whole frames.
    """

    brightness: float
    """The factor on all values is uniform in 1 +- `brightness`; the same holds for contrast and saturation."""
    contrast: float
    saturation: float
    hue: float
    """Largest shift of the hue, as a share of the full circle."""
    asymmetric: float = 0.0
    """Probability that each frame is changed separately."""

    def draw(self, rng: np.random.Generator) -> Jitter:
        """Draw the changes of both frames."""
        apart = rng.random() < self.asymmetric
        return Jitter(self.draw_one(rng), self.draw_one(rng) if apart else None)

    def draw_one(self, rng: np.random.Generator) -> Colouring:
        """Draw the change of one picture."""
        brightness, contrast, saturation = (
            rng.uniform(max(0.0, 1 - reach), 1 + reach) for reach in (self.brightness, self.contrast, self.saturation)
        )
        turn = round(256 * rng.uniform(-self.hue, self.hue))
        return Colouring(brightness, contrast, saturation, turn, tuple(map(int, rng.permutation(4))))

    def scaled_down(self, share: float) -> "ColourJitter":
        """Return this distribution with its ranges multiplied by `share`."""
        reach = {name: share * getattr(self, name) for name in ("brightness", "contrast", "saturation", "hue")}
        return replace(self, **reach)


def _mean_grey(picture: Frame) -> float:
    # luma of ITU-R BT.601, as in OpenCV and torchvision
    return float(np.dot(cv2.mean(picture)[:3], (0.299, 0.587, 0.114)))


def _about(middle: float, contrast: float) -> np.ndarray:
    return np.clip(np.rint(middle + contrast * (np.arange(256) - middle)), 0, 255).astype(np.uint8)  # 256 grey levels


@dataclass(frozen=True)
class Boxes:
    """The boxes that an `Eraser` has drawn."""

    boxes: tuple[tuple[int, int, int, int], ...]
    """Top, left, bottom and right of each box; bottom and right are exclusive and may lie outside the frame."""

    def apply(self, sample: Sample) -> Sample:
        """Return the sample with the boxes filled in its second frame."""
        second = sample.second.copy()
        colour = np.array(cv2.mean(second)[:3]).astype(np.uint8)  # RGB, grey levels
        for top, left, bottom, right in self.boxes:
            second[top:bottom, left:right] = colour
        return sample.replace(second=second)


@dataclass(frozen=True)
class Eraser:
    """RAFT's occlusion augmentation: boxes in the second frame are filled with its mean colour."""

    probability: float = 0.5
    boxes: tuple[int, int] = (1, 2)
    """Smallest and largest number of boxes."""
    sides: tuple[int, int] = (50, 100)
    """Range of the sides in pixels, upper bound exclusive."""

    def draw(self, rng: np.random.Generator, size: tuple[int, int]) -> Boxes | None:
        """Draw boxes in a frame of `size` (height, width), with probability `probability`; otherwise return None."""
        if rng.random() >= self.probability:
            return None
        height, width = size
        boxes = []
        for _ in range(int(rng.integers(self.boxes[0], self.boxes[1] + 1))):
            x, y = int(rng.integers(width)), int(rng.integers(height))
            columns, rows = rng.integers(self.sides[0], self.sides[1], 2).tolist()
            # the corner lies in the frame, so each box covers at least one pixel
            boxes.append((y, x, y + rows, x + columns))
        return Boxes(tuple(boxes))

    def apply(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with the boxes filled in its second frame."""
        boxes = self.draw(rng, sample.valid.shape)
        return sample if boxes is None else boxes.apply(sample)

    def scaled_down(self, share: float) -> "Eraser":
        """Return this distribution with its probability multiplied by `share`."""
        return replace(self, probability=share * self.probability)
