"""RAFT's four stages. Teed and Deng, ECCV 2020, https://arxiv.org/abs/2003.12039; numbers of train_standard.sh,
train_mixed.sh and core/datasets.py of princeton-vl/RAFT.
"""

from typing import Any

from opticflow.train.recipe import Part, Recipe, Stage, Start

LEFT = ("left",)
"""The only camera of FlyingThings3D that RAFT was trained on, in both directions of time."""
CHAIRS = (Part("chairs", "raft-chairs", split="training"),)
THINGS = (
    Part("things-clean", "raft-things", split="TRAIN", cameras=LEFT),
    Part("things-final", "raft-things", split="TRAIN", cameras=LEFT),
)
SINTEL = (
    Part("sintel-clean", "raft-sintel", share=100 * 1041),
    Part("sintel-final", "raft-sintel", share=100 * 1041),
    Part("kitti-2015", "raft-sintel-kitti", share=200 * 200),
    Part("hd1k", "raft-sintel-hd1k", share=5 * 1047),
    Part("things-clean", "raft-things", share=40_302, split="TRAIN", cameras=LEFT),
)
"""Shares are repetitions times number of pairs; together 293,737 (RAFT issue 61)."""
KITTI = (Part("kitti-2015", "raft-kitti"),)


def _stage(name: str, source: str, **numbers: Any) -> Stage:
    shared = {
        "model": "RAFT",
        "optimiser": "adamw",
        "schedule": "one-cycle",
        "warm_up": 0.05,
        "clip": 1.0,
        "iterations": 12,
        "loss": "sequence",
        "freeze_batch_norm": name != "chairs",
    }
    return Stage(name=name, source=source, **{**shared, **numbers})


def _recipe(name: str, title: str, script: str, columns: dict[str, tuple[int, int, float]]) -> Recipe:
    """Return the four stages. Steps, batch and learning rate are given per stage; the rest is the same in both
    scripts."""
    validated = {  # as by the authors: from the third stage on, these samples are also trained on
        "chairs": (Part("chairs", split="validation"),),
        "things": (Part("sintel-clean"), Part("sintel-final")),
        "sintel": (Part("kitti-2015"),),
        "kitti": (Part("kitti-2015"),),
    }
    data = {"chairs": CHAIRS, "things": THINGS, "sintel": SINTEL, "kitti": KITTI}
    crops = {"chairs": (368, 496), "things": (400, 720), "sintel": (368, 768), "kitti": (288, 960)}
    stages, before = [], None
    for stage, (steps, batch, rate) in columns.items():
        # train_standard.sh and train_mixed.sh give the last two stages another gamma and weight decay
        late = stage in ("sintel", "kitti")
        stages.append(
            _stage(
                stage,
                f"{script}: {steps:,} steps of {batch}, {rate:g}",
                steps=steps,
                batch=batch,
                learning_rate=rate,
                crop=crops[stage],
                data=data[stage],
                validation=validated[stage],
                # their validation samples are trained on, so the lowest error is no reason to keep weights
                keeps_best=not late,
                weight_decay=1e-5 if late else 1e-4,
                loss_options={"gamma": 0.85 if late else 0.8, "max_flow": 400.0},
                start=(Start(before),) if before else (),
            )
        )
        before = stage
    return Recipe(name, title, tuple(stages))


TWO_GPUS = _recipe(
    "RAFT",
    "RAFT on Chairs, Things3D, the Sintel mix and KITTI, as on two GPUs in fp32",
    "train_standard.sh",
    {
        "chairs": (100_000, 10, 4e-4),
        "things": (100_000, 6, 1.25e-4),
        "sintel": (100_000, 6, 1.25e-4),
        "kitti": (50_000, 6, 1e-4),
    },
)
MIXED_PRECISION = _recipe(
    "RAFT-mixed-precision",
    "RAFT on the same, as on one GPU in mixed precision",
    "train_mixed.sh",
    {
        "chairs": (120_000, 8, 2.5e-4),
        "things": (120_000, 5, 1e-4),
        "sintel": (120_000, 5, 1e-4),
        "kitti": (50_000, 5, 1e-4),
    },
)
