"""Options that several commands share."""

from typing import Annotated

import typer

Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ...")]
Precision = Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")]
Iterations = Annotated[int | None, typer.Option(min=1, help="Updates of RAFT; the model's own if not given.")]
Padding = Annotated[str, typer.Option(help="center, or bottom as RAFT's authors pad KITTI.")]
CoarseStart = Annotated[
    bool | None,
    typer.Option(
        help="Start from estimates at a quarter and half the size, for far motion.",
        show_default="as the weights are best used",
    ),
]
Refine = Annotated[
    bool | None,
    typer.Option(help='Variational refinement after the estimate ("+v").', show_default="as the weights are best used"),
]
