"""The fine-tuning recipe: continue from trained weights with pairs of one's own."""

from collections.abc import Sequence

import torch

from opticflow.losses import LOSS_INPUTS
from opticflow.models import LearnedNetwork, build
from opticflow.train.recipe import Part, Recipe, Stage
from opticflow.weights import DEFAULT_MODEL


def finetune(model: str = DEFAULT_MODEL.partition(".")[0], datasets: Sequence[str] = ("pairs",)) -> Recipe:
    """Return a short training that starts from given weights.

    Args:
        model: the network of the weights, a key of `models.MODELS`.
        datasets: keys of `data.DATASETS`, all drawn from equally often. Nine tenths of each are for training; the error
            is measured on the rest.
    """
    # built without memory, only to learn which kind of loss the network takes
    with torch.device("meta"):
        network = build(model)
    estimates = network.estimates if isinstance(network, LearnedNetwork) else "iterations"
    loss = next(loss for loss, wanted in LOSS_INPUTS.items() if wanted == estimates)
    stage = Stage(
        name="finetune",
        model=model,
        data=tuple(Part(name, "default-mix", fold="training") for name in datasets),
        validation=tuple(Part(name, fold="held-out") for name in datasets),
        steps=2_000,
        batch=4,
        crop=(320, 448),
        learning_rate=1e-4,
        loss=loss,
        weight_decay=1e-4,
        schedule="plateau",
        warm_up=0.05,
        average=0.999,
        clip=1.0,
        validation_samples=32,
        validate_every=250,
        source="this project's: a quarter of the rate at which the default weights were trained, so that little is "
        "forgotten; crops whose sides every network takes; averaged weights, as a few pairs make single steps noisy",
    )
    return Recipe("finetune", "any network, from weights of it, on pairs of one's own", (stage,))
