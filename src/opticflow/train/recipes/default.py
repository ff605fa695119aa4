"""The recipe of the default weights: RAFT-pyramid on this project's own worlds.

One stage, with everything in the mix from its first step to its last: the order of the data forgets (SEA-RAFT, after
TartanAir, lost half of what it knew of KITTI in a stage of Chairs alone: 3.8 to 9.6 px). It is meant to be trained by
the clock, in as many pieces as there is time:

    opticflow train default --minutes 600 -o run
    opticflow train default --minutes 600 -o run --resume
"""

from opticflow.train.recipe import Part, Recipe, Stage

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
"""What is measured: a part of the mix each, made with another seed."""


def _layers(world: str, share: float, augmentation: str = WORLDS) -> Part:
    """A world of layers; should a folder be given, its samples for training."""
    return Part(world, augmentation, share, split="training")


def _solids(world: str, share: float, augmentation: str = WORLDS) -> Part:
    """A world of solids, likewise."""
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
"""Three tenths are rigid scenes under a camera that drives: they teach to carry motion to where nothing can be matched.
More of them costs accuracy on films (RAFT with rigid pairs alone in its last 32,000 steps: KITTI 5.0 to 3.5 px, Sintel
1.4 to 1.9)."""

DEFAULT = Recipe(
    "default",
    "RAFT-pyramid on this project's worlds: the weights that come with the package",
    (
        Stage(
            name="worlds",
            model="RAFT-pyramid",
            data=MIX,
            steps=100_000,
            batch=4,
            crop=(256, 320),
            wide_crop=(256, 832),
            wide_share=0.1,
            iterations=2,
            learning_rate=4e-4,
            weight_decay=1e-4,
            schedule="plateau",
            warm_up=0.03,
            average=0.999,
            clip=1.0,
            loss="sequence",
            loss_options={"gamma": 0.8},
            validation=HELD_OUT,
            validation_samples=35,
            validate_every=5_000,
            keeps_best=False,
            source="optimiser, rate and loss are RAFT's, for its smallest batches. Crops and iterations are as small "
            "as the pyramid bears: at 1/32 two iterations reach across a crop, and a sample costs a quarter of one "
            "of 384 x 512; wide crops show how a camera moves that drives. The rate is held high, so that training "
            "can go on from any point, and falls at the end alone",
        ),
    ),
)

GPU = Recipe(
    "default-gpu",
    "the same for a GPU: batches of 32, larger crops, as many iterations as in use",
    (
        Stage(
            name="worlds",
            model="RAFT-pyramid",
            data=MIX,
            steps=20_000,
            batch=32,
            crop=(384, 512),
            wide_crop=(256, 832),
            wide_share=0.2,
            iterations=4,
            learning_rate=5e-4,
            weight_decay=1e-4,
            schedule="plateau",
            warm_up=0.03,
            average=0.999,
            clip=1.0,
            loss="sequence",
            loss_options={"gamma": 0.8},
            source="as `default`, for a device to which small batches and crops are no cheaper; the rate of SEA-RAFT's "
            "batches of 32, a quarter more",
        ),
    ),
)
