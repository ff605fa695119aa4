"""FlowNet 2.0's three schedules, and its curriculum. Ilg et al., CVPR 2017, https://arxiv.org/abs/1612.01925

LMB is lmb-freiburg/flownet2, MM open-mmlab/mmflow, CP ClementPinard/FlowNetPytorch.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from opticflow.losses import CAFFE_WEIGHTS, FUSION_WEIGHTS, LARGE_UNIT, SMALL_UNIT
from opticflow.models.flownet2 import THIN
from opticflow.train.recipe import Part, Recipe, Stage, Start

AUGMENTATION = "flownet2"
CHAIRS = (Part("chairs", AUGMENTATION, split="training"),)
THINGS = (Part("things-clean", AUGMENTATION, split="TRAIN"),)
SMALL = (Part("chairs-sdhom", AUGMENTATION, split="train"),)
CHAIRS_CROP, THINGS_CROP = (320, 448), (384, 768)
"""Height and width of the crops: for Chairs and ChairsSDHom, in batches of 8; for Things3D, in batches of 4 (README of
LMB)."""
HELD_OUT_CHAIRS = (Part("chairs", split="validation"),)
HELD_OUT_THINGS = (Part("things-clean", split="TEST"),)
HELD_OUT_SMALL = (Part("chairs-sdhom", split="test"),)

SHORT_SOURCE = "S_short of section 3.1: Adam, 1e-4, halved at 300k, 400k, 500k, to 600k; weight decay 4e-4, batch 8"
LONG_SOURCE = "S_long of section 3.1: Adam, 1e-4, halved at 400k, 600k, 800k, 1M, to 1.2M; weight decay 4e-4, batch 8"
FINE_SOURCE = "S_fine of section 3.1: Adam, 1e-5, halved at 200k, 300k, 400k, to 500k; weight decay 4e-4, batch 4"


def _stage(name: str, model: str, source: str, **numbers: Any) -> Stage:
    """Return a stage with what all stages share: Adam, with weight decay on weights alone (CP; the solvers give biases
    none)."""
    shared = {
        "optimiser": "adam",
        "weight_decay": 4e-4,
        "decay_biases": False,
        "schedule": "halving",
        "loss": "multiscale",
        "loss_options": {"weights": CAFFE_WEIGHTS, "unit": LARGE_UNIT},
        "data": CHAIRS,
        "validation": HELD_OUT_CHAIRS,
        "validate_every": 10_000,
        "batch": 8,
        "crop": CHAIRS_CROP,
    }
    return Stage(name=name, model=model, source=source, **{**shared, **numbers})


def short(name: str, model: str, **numbers: Any) -> Stage:
    """Return a stage with the schedule S_short, on Chairs unless told otherwise."""
    rates = {"steps": 600_000, "learning_rate": 1e-4, "halve_at": (300_000, 400_000, 500_000)}
    return _stage(name, model, SHORT_SOURCE, **{**rates, **numbers})


def long(name: str, model: str, **numbers: Any) -> Stage:
    """Return a stage with the schedule S_long, on Chairs unless told otherwise."""
    rates = {"steps": 1_200_000, "learning_rate": 1e-4, "halve_at": (400_000, 600_000, 800_000, 1_000_000)}
    return _stage(name, model, LONG_SOURCE, **{**rates, **numbers})


def fine(name: str, model: str, **numbers: Any) -> Stage:
    """Return a stage with the schedule S_fine, on Things3D unless told otherwise. MM goes on to 600k; the official
    solver stops at 500k."""
    rates = {"steps": 500_000, "learning_rate": 1e-5, "halve_at": (200_000, 300_000, 400_000)}
    rates |= {"augmentation_begins": 1_200_000}  # it continues S_long: steps 1.2M to 1.7M
    things = {"data": THINGS, "validation": HELD_OUT_THINGS, "batch": 4, "crop": THINGS_CROP}
    return _stage(name, model, FINE_SOURCE, **{**rates, **things, **numbers})


SHORT = Recipe("S_short", "FlowNet2-S on Chairs by FlowNet 2.0's short schedule", (short("chairs", "FlowNet2-S"),))
LONG = Recipe("S_long", "FlowNet2-S on Chairs by FlowNet 2.0's long schedule", (long("chairs", "FlowNet2-S"),))
FINE = Recipe(
    "S_fine",
    "FlowNet2-S on Chairs by S_long, then on Things3D by S_fine",
    (long("chairs", "FlowNet2-S"), fine("things", "FlowNet2-S", start=(Start("chairs"),))),
)


def curriculum(size: Literal["full", "thin"]) -> Recipe:
    """Return all stages of FlowNet2, each starting from the ones before it (section 3 and 4; LMB issues 38 and 112;
    MM's configurations).

    Args:
        size: `thin` has 3/8 of the channels in all networks but the fusion.
    """
    thin = size == "thin"
    options: Mapping[str, Any] = {"width": THIN} if thin else {}
    c, cs, css = (
        ("FlowNet2-c", "FlowNet2-cs", "FlowNet2-css") if thin else ("FlowNet2-C", "FlowNet2-CS", "FlowNet2-CSS")
    )
    # the network that was trained alone becomes the first of the stack
    of_c = Start("C-things", "estimator.", "stack.estimators.0.")
    # the first and the second network of the stack, which are frozen once they are trained
    held = ("stack.estimators.0.", "stack.estimators.1.")
    # the robust loss of section 4: (error + 0.01)^0.4
    robust = {"weights": CAFFE_WEIGHTS, "unit": LARGE_UNIT, "exponent": 0.4, "epsilon": 0.01}
    fused = {
        "model": "FlowNet2",
        "options": options,
        "frozen": ("stack.", "small_displacement."),
        # the fusion also has estimates at 1/4 and 1/2, which have no loss
        "loss_options": {"weights": (0.0, 0.0, *FUSION_WEIGHTS), "unit": 1.0, "reduction": "batch"},
    }
    stages = (
        long("C-chairs", c),
        fine("C-things", c, start=(Start("C-chairs"),)),
        long("CS-chairs", cs, start=(of_c,), frozen=held[:1]),
        fine("CS-things", cs, start=(Start("CS-chairs"),), frozen=held[:1]),
        long("CSS-chairs", css, start=(Start("CS-things"),), frozen=held),
        fine("CSS-things", css, start=(Start("CSS-chairs"),), frozen=held),
        replace(
            fine("CSS-ft-sd", css, start=(Start("CSS-things"),), loss_options=robust, batch=8, crop=(384, 448)),
            data=(replace(THINGS[0], share=1.0), replace(SMALL[0], share=3.0)),
            validation=(*HELD_OUT_THINGS, *HELD_OUT_SMALL),
            source="section 4: S_fine on Things3D and ChairsSDHom, error^0.4. The whole stack is trained (LMB 112; MM "
            "trains the last network alone); 1 to 3, batch 8, crop and epsilon 0.01 as MM has them",
        ),
        long(
            "SD",
            "FlowNet2-SD",
            options=options,
            data=SMALL,
            validation=HELD_OUT_SMALL,
            loss_options={"weights": CAFFE_WEIGHTS, "unit": SMALL_UNIT},
        ),
        replace(
            long(
                "fusion-chairs",
                start=(
                    Start("CSS-ft-sd", "stack.", "stack."),
                    Start("SD", "estimator.", "small_displacement."),
                ),
                **fused,
            ),
            source=f"{LONG_SOURCE}; the fusion alone, as MM trains it: the paper does not say on what and how long",
        ),
        replace(
            fine("fusion-things", start=(Start("fusion-chairs"),), **fused),
            source=f"{FINE_SOURCE}; the fusion alone, as MM trains it",
        ),
    )
    name, what = ("FlowNet2-thin", "3/8 of the channels") if thin else ("FlowNet2", "ten stages")
    return Recipe(name, f"FlowNet2 by its whole curriculum, {what}", stages)
