"""The start of a stage: which weights it takes from earlier stages, and which of them are frozen."""

import hashlib

import torch
from torch import Tensor, nn

from opticflow.errors import InputError, TrainingError
from opticflow.losses import LOSS_INPUTS
from opticflow.models import LearnedNetwork, build
from opticflow.train.recipe import Recipe, Stage
from opticflow.train.run_folder import Run
from opticflow.weights import Checkpoint, read_checkpoint

UNSHIPPED = "mixture_head."
"""Prefix of parameters that exist in training only; published weights do not contain them."""


def check(recipe: Recipe, weights: Checkpoint | None = None) -> None:
    """Check everything that could keep a stage from starting, before anything is written.

    Raises:
        InputError: a model has no weights, does not fit its loss or its crop, or the weights are of another network.
    """
    for stage in recipe.stages:
        # tensors without memory: only names and shapes are compared
        with torch.device("meta"):
            network = _built(stage)
        if weights is not None and not stage.start:
            _must_be_of(network, weights, stage)


def _built(stage: Stage) -> LearnedNetwork:
    network = build(stage.model, **stage.options)
    if not isinstance(network, LearnedNetwork):
        raise InputError(f"{stage.model} has no weights to train; take one of the networks of `opticflow models list`")
    _must_fit(stage, network)
    return network


def begin(stage: Stage, run: Run, weights: Checkpoint | None = None) -> LearnedNetwork:
    """Return the network of a stage, initialised from earlier stages unless it has weights of its own already, with its
    frozen parts marked.

    Args:
        stage: the stage to be trained.
        run: the run that holds the earlier stages.
        weights: initial weights of a stage that starts from no earlier one; None: random weights.

    Raises:
        InputError: the model has no weights or does not fit its loss or its crop; given weights, or those of an earlier
            stage, do not fit; or a prefix matches no parameter.
        WeightsError: an earlier stage has not run yet, or its weights cannot be read.
    """
    network = _built(stage)
    if weights is not None and not stage.start:
        _must_be_of(network, weights, stage)
        # not strict: published weights lack the parameters that exist in training only; `_must_be_of` checks the rest
        network.load_state_dict(weights.tensors, strict=False)
    stages = {stage.name: stage for stage in run.recipe.stages}
    # a stage that has a checkpoint of its own takes all weights from there
    for start in stage.start if run.place(stage).last is None else ():
        theirs = read_checkpoint(run.place(stages[start.stage]).weights()).tensors
        taken = {
            start.ours + name.removeprefix(start.theirs): tensor
            for name, tensor in theirs.items()
            if name.startswith(start.theirs)
        }
        ours = network.state_dict()
        unfit = [name for name in taken if name not in ours or ours[name].shape != taken[name].shape]
        if unfit or not taken:
            found = f"does not fit at {unfit[0]}" if unfit else "has nothing of that name"
            raise InputError(
                f"{stage.name} takes {start.theirs or 'all'} of {start.stage} over as {start.ours or 'all'}: it {found}"
            )
        network.load_state_dict(taken, strict=False)
    for name, parameter in network.named_parameters():
        # without prefixes `startswith(())` is False, so that every parameter is trained
        parameter.requires_grad_(not name.startswith(stage.frozen))
    for prefix in stage.frozen:
        if not frozen(network, (prefix,)):
            raise InputError(f"{stage.name} freezes {prefix!r}, which {stage.model} does not have")
    return network


def _must_be_of(network: LearnedNetwork, weights: Checkpoint, stage: Stage) -> None:
    ours, theirs = network.state_dict(), weights.tensors
    names = {name for name in ours.keys() | theirs.keys() if not name.startswith(UNSHIPPED)}
    unfit = sorted(n for n in names if n not in ours or n not in theirs or ours[n].shape != theirs[n].shape)
    if unfit:
        raise InputError(
            f"{stage.name} trains {stage.model} and cannot begin with weights of {weights.network}: they differ in "
            f"{len(unfit)} tensors, such as {unfit[0]}; give weights of {stage.model}, or --model {weights.network}"
        )


def _must_fit(stage: Stage, network: LearnedNetwork) -> None:
    if network.estimates != LOSS_INPUTS[stage.loss]:
        known = " or ".join(loss for loss, wanted in LOSS_INPUTS.items() if wanted == network.estimates)
        raise InputError(
            f"{stage.name} trains {stage.model} with the loss {stage.loss}, which is for {LOSS_INPUTS[stage.loss]}; "
            f"this network gives {network.estimates}: take the loss {known}, or a recipe for such networks"
        )
    for height, width in stage.crops:
        if not any(side % network.stride or side < network.min_size for side in (height, width)):
            continue
        raise InputError(
            f"the crop of {stage.name} is {width}x{height}; {stage.model} wants multiples of {network.stride}, at "
            f"least {network.min_size}"
        )


def training_mode(network: nn.Module, stage: Stage) -> None:
    """Put the network into training mode, except its frozen modules."""
    network.train()
    for name, module in network.named_modules():
        held = stage.freeze_batch_norm and isinstance(module, nn.BatchNorm2d)
        if held or (stage.frozen and f"{name}.".startswith(stage.frozen)):
            # in evaluation mode a batch norm neither uses nor changes the statistics of the batch
            module.eval()


def frozen(network: nn.Module, prefixes: tuple[str, ...]) -> dict[str, Tensor]:
    """Return the parameters and statistics that must not change, by name."""
    return {name: tensor for name, tensor in network.state_dict().items() if prefixes and name.startswith(prefixes)}


def fingerprint(network: nn.Module, stage: Stage) -> str:
    """Return the hash of the frozen parameters; empty if nothing is frozen."""
    held = frozen(network, stage.frozen)
    digest = hashlib.sha256()
    # sorted, so that the hash does not depend on the order of the parameters
    for name in sorted(held):
        digest.update(name.encode() + held[name].detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest() if held else ""


def must_be_unchanged(network: nn.Module, stage: Stage, before: str) -> None:
    """Raise an error if a frozen parameter has changed in any bit.

    Raises:
        TrainingError: it has changed.
    """
    if fingerprint(network, stage) != before:
        raise TrainingError(f"{stage.name}: weights that are frozen have changed; this is a fault of the program")
