"""The recipe of the weights that come with the package: RAFT-small on this project's own worlds, on a CPU.

What decides with little compute is the number of samples, their variety and the range of their motion. So the stages
go from simple to complex worlds (Ilg et al., CVPR 2017, section 3: Chairs before Things3D), from few iterations to
many (RAFT converges with few, and its cost is mostly in them), and from small crops to large ones, which is what shows
large motion.
"""

from dataclasses import replace
from typing import Any

from opticflow.train.recipe import Part, Recipe, Stage, Start

AUGMENTATION, FAR, BLURRED = "default-mix", "default-far", "default-far-blurred"
HELD_OUT = (Part("chairs", split="validation"), Part("mixed", split="validation"), Part("things", split="TEST"))
"""The same in all stages, so that their errors compare."""


def _made(world: str, share: float, augmentation: str = AUGMENTATION) -> Part:
    """A part of a stage; should a folder be given, its samples for training."""
    return Part(world, augmentation, share, split="TRAIN" if world == "things" else "training")


MIDDLE: dict[str, Any] = {"crop": (288, 384), "iterations": 6, "validation_samples": 48}
"""Of the stages between the small crops and the large ones."""
ALL_WORLDS = (_made("chairs", 0.25), _made("mixed", 0.45), _made("things", 0.3))


def _stage(name: str, source: str, **numbers: Any) -> Stage:
    """What all stages share.

    The optimiser is RAFT's: AdamW, one cycle, gradients clipped at 1. So is the loss. The first tenth of a stage would
    be lost with a longer warm-up than 5 %, as each begins anew.
    """
    shared = {
        "model": "RAFT-small",
        "optimiser": "adamw",
        "schedule": "one-cycle",
        "warm_up": 0.05,
        "clip": 1.0,
        "loss": "sequence",
        "loss_options": {"gamma": 0.8},
        "batch": 4,
        "weight_decay": 1e-4,
        "validation": HELD_OUT,
        "validation_samples": 24,
        "validate_every": 2000,
    }
    return Stage(name=name, source=source, **{**shared, **numbers})


DEFAULT = Recipe(
    "default",
    "RAFT-small on this project's worlds: the weights that come with the package",
    (
        _stage(
            "simple",
            "4 iterations and 192 x 256 cost 0.4 of the next stage's sample, and motion up to some 60 px fits into the "
            "crop; the rate is RAFT's for batches of 8 to 10, the batch is smaller, as few samples are worth more in "
            "many steps",
            data=(_made("chairs", 0.5), _made("mixed", 0.5)),
            steps=7_000,
            crop=(192, 256),
            iterations=4,
            learning_rate=4e-4,
        ),
        _stage(
            "wide",
            "larger crops for larger motion, more iterations to go there, and all three worlds, so that nothing is "
            "forgotten; a little over half the first rate, as the network starts from what it knows",
            data=ALL_WORLDS,
            steps=3_000,
            crop=(256, 320),
            iterations=6,
            learning_rate=2.5e-4,
            start=(Start("simple"),),
        ),
        _stage(
            "far",
            "motion three times as large, as real pictures have it and what came before did not: with frames at three "
            "quarters of their size, the weights of `wide` lost half as much of a fast scene; crops that hold it",
            data=tuple(replace(part, augmentation=FAR) for part in ALL_WORLDS),
            steps=3_000,
            learning_rate=2.5e-4,
            **MIDDLE,
            start=(Start("wide"),),
        ),
        _stage(
            "settle",
            "a short cycle at half the rate, in which small motion, which larger pictures and pans had made rarer, has "
            "its share again",
            data=(_made("chairs", 0.3), _made("mixed", 0.4, FAR), _made("things", 0.3, FAR)),
            steps=650,
            learning_rate=1.25e-4,
            **MIDDLE,
            start=(Start("far"),),
        ),
        _stage(
            "coarse",
            "half of the steps start from an estimate at half the size, as `--coarse-start` does: "
            "what the network gets right there must not be lost at full size; a long cycle, as small motion had hardly "
            "become better since `wide`, and far motion in less than half of the samples",
            data=(_made("chairs", 0.3), _made("mixed", 0.4, FAR), _made("things", 0.3)),
            steps=2_500,
            coarse_starts=0.5,
            learning_rate=2.5e-4,
            **MIDDLE,
            start=(Start("settle"),),
        ),
        _stage(
            "blurred",
            "far motion as a camera takes it: what larger pictures and pans had made fast was as sharp as what stands "
            "still, and streaked fast things in real pictures were lost",
            data=(_made("chairs", 0.25), _made("mixed", 0.5, BLURRED), _made("things", 0.25)),
            steps=1_500,
            coarse_starts=0.5,
            learning_rate=1.25e-4,
            warm_up=0.02,
            **MIDDLE,
            start=(Start("coarse"),),
        ),
    ),
)
