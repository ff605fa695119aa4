"""Checkpoint layouts of other projects: a table of renames for each, and the names by which a layout is recognised."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from opticflow.models.flownet import FLOWNET_PYTORCH_MEAN

Target = Callable[[re.Match[str]], str]
Rules = list[tuple[str, Target | str | None]]
"""Renaming rules: the first pattern that matches a whole name decides, by a template, a function of the match, or None
for a tensor that duplicates another."""


def _lower(number: str) -> int:
    # theirs are numbered from 1, ours from 0
    return int(number) - 1


# RAFT. Authors: core/{raft,extractor,update}.py of princeton-vl/RAFT; torchvision: models/optical_flow/raft.py.
_ENCODERS = {"fnet": "feature_encoder", "cnet": "context_encoder"}
_GATES = {"z": "update_gate", "r": "reset_gate", "q": "candidate"}

PRINCETON: Rules = [
    # each strided block stores the norm of its shortcut twice; torch uses the later name, downsample.1
    (r"[fc]net\.layer[23]\.0\.norm3\..*", None),
    (r"([fc]net)\.(conv|norm)1\.(.*)", lambda m: f"{_ENCODERS[m[1]]}.stem.{m[2]}.{m[3]}"),
    (r"([fc]net)\.conv2\.(.*)", lambda m: f"{_ENCODERS[m[1]]}.projection.{m[2]}"),
    (
        r"([fc]net)\.layer(\d)\.(\d)\.downsample\.([01])\.(.*)",
        lambda m: f"{_ENCODERS[m[1]]}.stages.{_lower(m[2])}.{m[3]}.shortcut.{('conv', 'norm')[int(m[4])]}.{m[5]}",
    ),
    (
        r"([fc]net)\.layer(\d)\.(\d)\.(conv|norm)(\d)\.(.*)",
        lambda m: f"{_ENCODERS[m[1]]}.stages.{_lower(m[2])}.{m[3]}.residual.{_lower(m[5])}.{m[4]}.{m[6]}",
    ),
    (
        r"update_block\.encoder\.conv([cf])(\d)\.(.*)",
        lambda m: f"update_block.motion_encoder.{'correlation' if m[1] == 'c' else 'flow'}.{_lower(m[2])}.{m[3]}",
    ),
    (r"update_block\.encoder\.conv\.(.*)", r"update_block.motion_encoder.joint.\1"),
    (
        r"update_block\.gru\.conv([zrq])([12]?)\.(.*)",
        lambda m: f"update_block.gru.{_lower(m[2] or '1')}.{_GATES[m[1]]}.{m[3]}",
    ),
    (
        r"update_block\.flow_head\.conv([12])\.(.*)",
        # two convolutions at 0 and 2 of a sequence, with the ReLU between them
        lambda m: f"update_block.flow_head.{2 * _lower(m[1])}.{m[2]}",
    ),
    (r"update_block\.mask\.(\d)\.(.*)", r"upsampler.mask.\1.\2"),
]

TORCHVISION: Rules = [
    (
        r"(\w+_encoder)\.convnormrelu\.([01])\.(.*)",
        lambda m: f"{m[1]}.stem.{('conv', 'norm')[int(m[2])]}.{m[3]}",
    ),
    (r"(\w+_encoder)\.conv\.(.*)", r"\1.projection.\2"),
    (
        r"(\w+_encoder)\.layer(\d)\.(\d)\.downsample\.([01])\.(.*)",
        lambda m: f"{m[1]}.stages.{_lower(m[2])}.{m[3]}.shortcut.{('conv', 'norm')[int(m[4])]}.{m[5]}",
    ),
    (
        r"(\w+_encoder)\.layer(\d)\.(\d)\.convnormrelu(\d)\.([01])\.(.*)",
        lambda m: f"{m[1]}.stages.{_lower(m[2])}.{m[3]}.residual.{_lower(m[4])}.{('conv', 'norm')[int(m[5])]}.{m[6]}",
    ),
    (
        r"update_block\.motion_encoder\.conv(corr|flow)(\d)\.0\.(.*)",
        lambda m: f"update_block.motion_encoder.{'correlation' if m[1] == 'corr' else 'flow'}.{_lower(m[2])}.{m[3]}",
    ),
    (r"update_block\.motion_encoder\.conv\.0\.(.*)", r"update_block.motion_encoder.joint.\1"),
    (
        r"update_block\.recurrent_block\.convgru([12])\.conv([zrq])\.(.*)",
        lambda m: f"update_block.gru.{_lower(m[1])}.{_GATES[m[2]]}.{m[3]}",
    ),
    (
        r"update_block\.flow_head\.conv([12])\.(.*)",
        lambda m: f"update_block.flow_head.{2 * _lower(m[1])}.{m[2]}",
    ),
    (r"mask_predictor\.convrelu\.0\.(.*)", r"upsampler.mask.0.\1"),
    (r"mask_predictor\.conv\.(.*)", r"upsampler.mask.2.\1"),
]


# FlowNets. networks/*.py of NVIDIA/flownet2-pytorch and models/*.py of ClementPinard/FlowNetPytorch name them alike.
def _estimator(theirs: str, ours: str, stem: str = "stem") -> Rules:
    prefix = re.escape(theirs)
    return [
        # the encoder is divided at the layer where FlowNetC correlates the two frames
        (rf"{prefix}(conv_redir\..*)", rf"{ours}stem.\1"),
        (rf"{prefix}(conv(?:3_1|4|4_1|5|5_1|6|6_1)\..*)", rf"{ours}trunk.\1"),
        (rf"{prefix}(conv(?:0|1|1_1|2|2_1|3)\..*)", rf"{ours}{stem}.\1"),
        *_refinement(prefix, f"{ours}refinement", coarsest=6),
    ]


def _refinement(prefix: str, ours: str, *, coarsest: int) -> Rules:
    return [
        # their numbers are levels of the pyramid; ours count from the coarsest level on
        (rf"{prefix}deconv(\d)\.(.*)", lambda m: f"{ours}.deconvolution.{coarsest - 1 - int(m[1])}.{m[2]}"),
        (rf"{prefix}inter_conv(\d)\.0\.(.*)", lambda m: f"{ours}.smoothing.{coarsest - 1 - int(m[1])}.{m[2]}"),
        (rf"{prefix}predict_flow(\d)\.(.*)", lambda m: f"{ours}.predict_flow.{coarsest - int(m[1])}.{m[2]}"),
        (
            rf"{prefix}upsampled_flow(\d)_to_\d\.(.*)",
            lambda m: f"{ours}.upsample_flow.{coarsest - int(m[1])}.{m[2]}",
        ),
    ]


ALONE = _estimator("", "estimator.")
ALONE_CORRELATION = _estimator("", "estimator.", "stem.frame")
STACK = [
    *_estimator("flownetc.", "stack.estimators.0.", "stem.frame"),
    *_estimator("flownets_1.", "stack.estimators.1."),
    *_estimator("flownets_2.", "stack.estimators.2."),
]
FUSED = [
    *STACK,
    *_estimator("flownets_d.", "small_displacement."),
    (r"flownetfusion\.(conv\d.*)", r"fusion.\1"),
    *_refinement(r"flownetfusion\.", "fusion.refinement", coarsest=2),
]


@dataclass(frozen=True)
class CheckpointLayout:
    """How one kind of checkpoint is recognised and read."""

    source: str
    """The project whose code wrote it."""
    tag: str
    """Tag of the weights, which follows the network's name."""
    network: str
    """The network it is for, a key of MODELS."""
    marks: tuple[str, ...]
    """Patterns; each must match the beginning of some name."""
    rules: Rules
    normalisation: str
    """Normalisation of the frames in training."""
    licence: str
    """Licence of the published weights in this layout."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of the network's function in MODELS."""


_RAFT_LICENCE = "code BSD-3-Clause; no separate terms for the weights, which were trained on research data sets"
_NVIDIA_LICENCE = "research use, as the FlowNet 2.0 authors allow (see the README of flownet2-pytorch)"
_PINARD_LICENCE = "MIT"


def _raft(source: str, tag: str, network: str, rules: Rules, *marks: str) -> CheckpointLayout:
    return CheckpointLayout(source, tag, network, marks, rules, "frames to [-1, 1]", _RAFT_LICENCE)


def _nvidia(network: str, rules: Rules, *marks: str) -> CheckpointLayout:
    normalisation = "mean colour of each pair subtracted, as flownet2-pytorch does"
    return CheckpointLayout("flownet2-pytorch", "nvidia", network, marks, rules, normalisation, _NVIDIA_LICENCE)


def _pinard(network: str, rules: Rules, *marks: str, batch_norm: bool) -> CheckpointLayout:
    normalisation = f"RGB mean {FLOWNET_PYTORCH_MEAN} subtracted"
    options = {"batch_norm": True} if batch_norm else {}
    tag = "pinard-bn" if batch_norm else "pinard"
    return CheckpointLayout("FlowNetPytorch", tag, network, marks, rules, normalisation, _PINARD_LICENCE, options)


LAYOUTS = [
    _raft("the RAFT authors", "princeton", "RAFT", PRINCETON, r"fnet\.", r"cnet\.", r"update_block\.gru\.conv[zrq]1\."),
    _raft(
        "the RAFT authors",
        "princeton",
        "RAFT-small",
        PRINCETON,
        r"fnet\.",
        r"cnet\.",
        r"update_block\.gru\.conv[zrq]\.",
    ),
    _raft("torchvision", "torchvision", "RAFT", TORCHVISION, r"feature_encoder\.convnormrelu", r"mask_predictor\."),
    _raft("torchvision", "torchvision", "RAFT-small", TORCHVISION, r"feature_encoder\.convnormrelu"),
    _nvidia("FlowNet2", FUSED, r"flownetfusion\."),
    _nvidia("FlowNet2-CSS", STACK, r"flownetc\.", r"flownets_2\."),
    _nvidia("FlowNet2-CS", STACK, r"flownetc\.", r"flownets_1\."),
    _nvidia("FlowNet2-SD", ALONE, r"conv0\.0\.", r"inter_conv\d"),
    _nvidia("FlowNet2-C", ALONE_CORRELATION, r"conv_redir\.0\.", r"predict_flow\d\.bias"),
    _nvidia("FlowNet2-S", ALONE, r"conv1\.0\.", r"predict_flow\d\.bias"),
    _pinard("FlowNetC", ALONE_CORRELATION, r"conv_redir\.1\.", r"predict_flow", batch_norm=True),
    _pinard("FlowNetC", ALONE_CORRELATION, r"conv_redir\.0\.", r"predict_flow", batch_norm=False),
    _pinard("FlowNetS", ALONE, r"conv\d\.1\.", r"predict_flow", batch_norm=True),
    _pinard("FlowNetS", ALONE, r"conv\d\.0\.", r"predict_flow", batch_norm=False),
]
"""All layouts, the specific before the general ones: the first that matches is used."""
