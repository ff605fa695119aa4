"""Augmentation presets by name, each with its source."""

from dataclasses import dataclass, replace

import numpy as np

from opticflow.data.augmentation.affine import Matrix, transform
from opticflow.data.augmentation.colour import Boxes, ColourJitter, Eraser, Noise, Tone, Toning
from opticflow.data.augmentation.exposure import MotionBlur
from opticflow.data.augmentation.geometry import Crop, Geometry, Placement, RelativeAffine, ScaleAndCrop
from opticflow.data.augmentation.spread import Spread, about, between, factor
from opticflow.data.augmentation.steps import Change, Step
from opticflow.shapes import Sample


@dataclass(frozen=True)
class Variation:
    """Parameters that an `Augmentation` has drawn for one sample: boxes, maps and colour changes."""

    boxes: Boxes | None
    """Boxes that are erased before the crop."""
    first: Matrix
    """Map from the crop into the first frame."""
    second: Matrix
    """Map from the crop into the second frame."""
    crop: tuple[int, int]
    """Height and width of the crop."""
    changes: tuple[Change, ...]
    """Colour changes of the crop, in this order."""

    def apply(self, sample: Sample) -> Sample:
        """Return the augmented sample."""
        if self.boxes is not None:
            # as in RAFT, boxes are erased before the spatial transform
            sample = self.boxes.apply(sample)
        sample = transform(sample, self.first, self.second, self.crop)
        for change in self.changes:
            sample = change.apply(sample)
        return sample


@dataclass(frozen=True)
class Augmentation:
    """Distribution of the augmentation of a sample: erased boxes, then spatial transform and crop, then colour changes.

    Colours come last, since a crop has fewer pixels than the whole frames.
    """

    source: str
    """Source of the parameter values."""
    geometry: Geometry
    colours: tuple[Step, ...] = ()
    """Colour changes, applied after the crop in this order."""
    eraser: Eraser | None = None
    """Boxes that are erased before the crop."""
    half_life: float | None = None
    """Number of steps after which the strength is halfway between `begin` and 1; None: always 1."""
    begin: float = 0.5
    """Strength at the start of training."""

    def strength(self, step: float) -> float:
        """Return the factor on all spreads after `step` training steps."""
        # the difference to 1 halves with each half-life, as in the schedule of Caffe's training
        return 1.0 if self.half_life is None else 1 - (1 - self.begin) * 0.5 ** (step / self.half_life)

    def apply(self, sample: Sample, rng: np.random.Generator, crop: tuple[int, int], *, after: float = 0) -> Sample:
        """Return an augmented sample.

        Args:
            sample: sample of any size; frames smaller than the crop are enlarged.
            rng: source of all random numbers.
            crop: height and width of the returned sample.
            after: number of training steps so far, for the schedule.
        """
        return self.draw(rng, sample.valid.shape, crop, after=after).apply(sample)

    def draw(
        self, rng: np.random.Generator, size: tuple[int, int], crop: tuple[int, int], *, after: float = 0
    ) -> Variation:
        """Draw the augmentation of a sample of `size` (height, width); the other arguments are those of `apply`."""
        share = self.strength(after)
        geometry, colours = self.geometry, self.colours
        if share != 1:
            # early in training the augmentation is weaker
            geometry, colours = geometry.scaled_down(share), tuple(step.scaled_down(share) for step in colours)
        boxes = None if self.eraser is None else self.eraser.draw(rng, size)
        first, second = geometry.draw(rng, size, crop)
        drawn = [step.draw(rng) for step in colours]
        return Variation(boxes, first, second, crop, tuple(change for change in drawn if change is not None))


SENSOR_NOISE = Noise(between(0, 0.02))
"""Sensor noise, to be appended to the colours of any preset: `replace(preset, colours=(*preset.colours,
SENSOR_NOISE))`. ptlflow adds Gaussian noise of this strength, `GaussianNoise(0.02)`, to all training samples of
its models."""

_RAFT = "RAFT, core/datasets.py and core/utils/augmentor.py"
_RELATIVE = Placement(
    shift_x=about(0, 0.03), shift_y=about(0, 0.03), angle=about(0, 0.03), zoom=factor(0, 0.03, "normal")
)
# RAFT gives the hue as a share of the circle: 0.5 / 3.14
_DENSE_JITTER = ColourJitter(0.4, 0.4, 0.4, 0.5 / 3.14, asymmetric=0.2)
_SPARSE_JITTER = ColourJitter(0.3, 0.3, 0.3, 0.3 / 3.14)


def _raft_dense(low: float, high: float) -> Augmentation:
    return Augmentation(_RAFT, ScaleAndCrop((low, high)), (_DENSE_JITTER,), Eraser())


def _raft_sparse(low: float, high: float, *, flips: bool) -> Augmentation:
    """Return RAFT's augmentation for sparse ground truth: no stretching and no vertical flips."""
    geometry = ScaleAndCrop(
        (low, high),
        stretch_probability=0,
        flip_left_right=0.5 if flips else 0,
        flip_up_down=0,
        clearance=1,
        overhang=(20, 50),
    )
    return Augmentation(_RAFT, geometry, (_SPARSE_JITTER,), Eraser())


NONE = Augmentation("a crop alone", Crop())

FLOWNET = Augmentation(
    "Dosovitskiy et al., ICCV 2015, section 4.3, shifts by shares of each side in place of the width; the relative "
    "transform, without numbers there, is FlowNet 2.0's",
    RelativeAffine(
        Placement(
            shift_x=between(-0.2, 0.2),
            shift_y=between(-0.2, 0.2),
            angle=between(-0.2967, 0.2967),  # 17 degrees
            zoom=between(0.9, 2.0),
        ),
        _RELATIVE,
    ),
    (
        Toning(
            Tone(colour=between(0.5, 2), gamma=between(0.7, 1.5), brightness=about(0, 0.2), contrast=between(0.2, 1.4))
        ),
        Noise(between(0, 0.04)),
    ),
)

FLOWNET2 = Augmentation(
    "Ilg et al., CVPR 2017: the Caffe training template, with its schedule of coefficients",
    RelativeAffine(
        Placement(
            shift_x=between(-0.4, 0.4),
            shift_y=between(-0.4, 0.4),
            angle=between(-0.4, 0.4),
            zoom=factor(0.2, 0.4),
            squeeze=factor(0, 0.3),
        ),
        _RELATIVE,
    ),
    (
        Toning(
            second=Tone(
                colour=factor(0, 0.02, "normal"),
                gamma=factor(0, 0.02, "normal"),
                brightness=about(0, 0.02),
                contrast=factor(0, 0.02, "normal"),
            )
        ),
        Noise(between(0, 0.06)),
    ),
    half_life=50_000,
)

RAFT_CHAIRS = _raft_dense(-0.1, 1.0)
RAFT_THINGS = _raft_dense(-0.4, 0.8)
RAFT_SINTEL = _raft_dense(-0.2, 0.6)
RAFT_SINTEL_KITTI = _raft_sparse(-0.3, 0.5, flips=True)
RAFT_SINTEL_HD1K = _raft_sparse(-0.5, 0.2, flips=True)
RAFT_KITTI = _raft_sparse(-0.2, 0.4, flips=False)


def _own(zoom: Spread, relative: Placement, relative_probability: float = 0.5) -> Augmentation:
    return Augmentation(
        "this project's, for its own worlds: RAFT's colours and boxes, and FlowNet's geometry, which turns frames and "
        "adds motion to half of the samples, so that displacements are wide",
        RelativeAffine(
            Placement(
                shift_x=between(-0.4, 0.4),
                shift_y=between(-0.4, 0.4),
                angle=between(-0.2, 0.2),
                zoom=zoom,
                squeeze=factor(0, 0.15),
            ),
            relative,
            relative_probability=relative_probability,
            flip_left_right=0.5,
            flip_up_down=0.1,
        ),
        (_DENSE_JITTER,),
        Eraser(),
    )


DEFAULT_MIX = _own(factor(0.15, 0.4), _RELATIVE)
DEFAULT_FAR = _own(
    factor(0.35, 0.45),
    Placement(shift_x=about(0, 0.15), shift_y=about(0, 0.07), angle=about(0, 0.05), zoom=factor(0, 0.06, "normal")),
)
"""Larger scales and pans. In crops of 288 x 384, the mean displacement in the three worlds is then 37 to 48 px (14 to
25 before), as in FlyingThings3D, and 1 % of the pixels move by more than 160 px."""

DEFAULT_FAR_BLURRED = replace(DEFAULT_FAR, colours=(MotionBlur(0.5), _DENSE_JITTER))


def _with_noise(augmentation: Augmentation) -> Augmentation:
    return replace(augmentation, colours=(*augmentation.colours, SENSOR_NOISE))


WORLDS = _with_noise(DEFAULT_MIX)
WORLDS_FAR = _with_noise(DEFAULT_FAR_BLURRED)
WORLDS_STILL = _with_noise(_own(factor(0.15, 0.4), _RELATIVE, relative_probability=0))
"""Without the relative transform: static regions stay static, with independent noise in each frame."""

PRESETS: dict[str, Augmentation] = {
    "none": NONE,
    "flownet": FLOWNET,
    "flownet2": FLOWNET2,
    "raft-chairs": RAFT_CHAIRS,
    "raft-things": RAFT_THINGS,
    "raft-sintel": RAFT_SINTEL,
    "raft-sintel-kitti": RAFT_SINTEL_KITTI,
    "raft-sintel-hd1k": RAFT_SINTEL_HD1K,
    "raft-kitti": RAFT_KITTI,
    "default-mix": DEFAULT_MIX,
    "default-far": DEFAULT_FAR,
    "default-far-blurred": DEFAULT_FAR_BLURRED,
    "worlds": WORLDS,
    "worlds-far": WORLDS_FAR,
    "worlds-still": WORLDS_STILL,
}
