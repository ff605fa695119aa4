"""The recipe of the default weights: RAFT-pyramid on this project's own worlds.

In the first, short stage, the network learns to match on simple scenes. The second stage uses the whole mix in all its
steps, because training on one data set after another makes a network forget: SEA-RAFT, trained on TartanAir, lost half
of its accuracy on KITTI in a stage of Chairs alone (3.8 to 9.6 px). The recipe is meant for time budgets, in as many
pieces as there is time for; the first piece divides its time between the stages:

    opticflow train default --minutes 600 -o run
    opticflow train default --minutes 600 -o run --resume
"""

from typing import Any

from opticflow.train.recipe import Part, Recipe, Stage, Start

WORLDS, FAR, STILL = "worlds", "worlds-far", "worlds-still"
HELD_OUT = (
    Part("chairs", split="validation"),
    Part("mixed", split="validation"),
    Part("fast", split="validation"),
    Part("drive", split="validation"),
    Part("drive-3d", split="TEST"),
    Part("things-near", split="TEST"),
    Part("still", split="validation"),
)
"""Validation data: each part of the mix, made with another seed."""


def _layers(world: str, share: float, augmentation: str = WORLDS) -> Part:
    """Return the part of a world of layers; of a folder, if one is given, its training samples."""
    return Part(world, augmentation, share, split="training")


def _solids(world: str, share: float, augmentation: str = WORLDS) -> Part:
    """Return the part of a world of solids; of a folder, if one is given, its training samples."""
    return Part(world, augmentation, share, split="TRAIN")


MIX = (
    _layers("chairs", 0.15),
    _layers("mixed", 0.13),
    _layers("mixed", 0.12, FAR),
    _layers("fast", 0.06),
    _layers("swift", 0.06),
    _layers("still", 0.06, STILL),
    _layers("drive", 0.13),
    _solids("drive-3d", 0.14),
    _solids("things-near", 0.15),
)
"""Three tenths are rigid scenes under a driving camera: they teach to propagate motion to regions that cannot be
matched. More of them costs accuracy on films (RAFT with rigid pairs alone in its last 32,000 steps: KITTI 5.0 to 3.5
px, Sintel 1.4 to 1.9)."""

SIMPLE = (_layers("chairs", 0.5), _layers("mixed", 0.5))
"""Data of the first stage, with a mean motion of ten pixels. With the whole mix from the first step on, the network
learnt little more than the motion of the camera: 10.4 px on held-out scenes of all kinds after 9,500 samples, with a
constant loss since the first 1,500. After 5,200 samples of these two worlds it was 8.1 px."""


def _stage(name: str, source: str, *, data: tuple[Part, ...], steps: int, batch: int, **numbers: Any) -> Stage:
    """Return a stage with what all stages share: RAFT's optimiser and loss."""
    return Stage(
        name=name,
        source=source,
        model="RAFT-pyramid",
        data=data,
        steps=steps,
        batch=batch,
        weight_decay=1e-4,
        clip=1.0,
        schedule="plateau",
        warm_up=0.03,
        average=0.999,
        loss="sequence",
        loss_options={"gamma": 0.8},
        validation=HELD_OUT,
        validation_samples=35,
        validate_every=5_000,
        keeps_best=False,
        **numbers,
    )


DEFAULT = Recipe(
    "default",
    "RAFT-pyramid on this project's worlds: the weights that come with the package",
    (
        _stage(
            "simple",
            "small crops and small motion, until matching is learnt; the rate is RAFT's",
            data=SIMPLE,
            steps=7_000,
            batch=4,
            crop=(192, 256),
            iterations=2,
            learning_rate=4e-4,
        ),
        _stage(
            "worlds",
            "crops and iterations as small as the pyramid bears: at 1/32 two iterations reach across a crop, and a "
            "sample costs a quarter of one of 384 x 512; wide crops show how a camera moves that drives. The rate is "
            "held high, so that training can go on from any point, and falls at the end alone",
            data=MIX,
            steps=93_000,
            batch=4,
            crop=(256, 320),
            wide_crop=(256, 832),
            wide_share=0.1,
            iterations=2,
            learning_rate=4e-4,
            start=(Start("simple"),),
        ),
    ),
)

GPU = Recipe(
    "default-gpu",
    "the same for a GPU: batches of 32, larger crops, as many iterations as in use",
    (
        _stage(
            "simple",
            "as that of `default`",
            data=SIMPLE,
            steps=1_000,
            batch=32,
            crop=(256, 320),
            iterations=2,
            learning_rate=5e-4,
        ),
        _stage(
            "worlds",
            "as that of `default`, for a device to which small batches and crops are no cheaper; the rate is that of "
            "SEA-RAFT's batches of 32 and a quarter more",
            data=MIX,
            steps=19_000,
            batch=32,
            crop=(384, 512),
            wide_crop=(256, 832),
            wide_share=0.2,
            iterations=4,
            learning_rate=5e-4,
            start=(Start("simple"),),
        ),
    ),
)
