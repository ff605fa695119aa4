"""opticflow models"""

from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from opticflow.cli.printing import say, show_json
from opticflow.cli.progress import show_bytes


class _ListsByDefault(TyperGroup):
    """A group that lists the models when no verb is given."""

    def parse_args(self, ctx, args):
        names_no_verb = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        return super().parse_args(ctx, ["list", *args] if names_no_verb else args)


models = typer.Typer(cls=_ListsByDefault, help="The flow methods and their weights; without a verb, they are listed.")

Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


@models.command("list")
def list_models(json: Json = False) -> None:
    """List the methods, by the names of their papers, and their known weight sets.

    Example: `opticflow models list`
    """
    from opticflow.models import MODELS
    from opticflow.weights import DEFAULT_MODEL, is_learned, records

    entries = []
    for name in MODELS:
        own = [
            {
                "name": record.name,
                "default": record.name == DEFAULT_MODEL,
                "state": record.state,
                "trained_on": record.trained_on,
                "error": record.error,
            }
            for record in records()
            if record.network == name
        ]
        learned = is_learned(name)
        entries.append({"name": name, "learned": learned, "weights": own})
    if json:
        show_json({"models": entries})
        return
    for entry in entries:
        note = "" if entry["weights"] or not entry["learned"] else "no published weights: give a file, or train it"
        say(f"{entry['name']:<20}{note}".rstrip())
        for weights in entry["weights"]:
            state = f"{weights['state']}{', default' if weights['default'] else ''}"
            say(f"  {weights['name']:<24}{state:<18}{weights['trained_on']}")


@models.command()
def info(
    name: Annotated[str, typer.Argument(help="A name of `opticflow models list`, or a checkpoint file.")],
    size: Annotated[str, typer.Option(help="Width x height of the frames.")] = "1024x436",
    json: Json = False,
) -> None:
    """Describe a method, a weight set or a checkpoint file, and the cost of an estimate.

    Example: `opticflow models info RAFT --size 1920x1080`

    Example: `opticflow models info flownetc_EPE1.766.pth`
    """
    from opticflow.estimator.describe import describe

    report = describe(name, size)
    if json:
        show_json(report)
        return
    for key, value in report.items():
        label = key.replace("_", " ").replace("sha256", "SHA-256")
        if key == "weights":
            for record in value:
                say(f"{'weights':<16}{record['name']} ({record['state']}): {record['trained_on']}; {record['licence']}")
                for title in ("training", "error", "use"):
                    if record[title]:
                        say(f"{'':<18}{title}: {', '.join(f'{key} {value}' for key, value in record[title].items())}")
        elif key == "bytes":
            say(f"{'memory':<16}{value / 1e6:,.0f} MB at {size}, float32 on a CPU, with the program")
        elif key == "multiply_adds":
            say(f"{'multiply-adds':<16}{value / 1e9:,.1f} billion at {size}")
        else:
            say(f"{label:<16}{value:,}" if isinstance(value, int) else f"{label:<16}{value}")


@models.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A checkpoint, as its authors published it.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="A .safetensors file.", show_default="in the cache, under its name"),
    ] = None,
) -> None:
    """Recognise a checkpoint of another project, check it and store it in opticflow's format.

    It knows the files of the RAFT authors, torchvision, flownet2-pytorch and FlowNetPytorch. It runs no code in a file.

    Example: `opticflow models import raft-things.pth -o raft-things.safetensors`
    """
    from opticflow.weights import import_checkpoint

    checkpoint, path = import_checkpoint(file, output)
    say(f"{file}: {checkpoint.network} of {checkpoint.source}, {checkpoint.parameters:,} parameters")
    say(f"normalisation: {checkpoint.normalisation}")
    say(f"licence: {checkpoint.licence}")
    say(f"written to {path}; use it with --model {path if output else checkpoint.name}")


@models.command()
def download(
    name: Annotated[
        str, typer.Argument(help="NETWORK.TAG of `opticflow models list`, or NETWORK for its first weight set.")
    ],
) -> None:
    """Download published weights to the cache, checked against their hash.

    Example: `opticflow models download RAFT`
    """
    from opticflow.weights import download_named

    with show_bytes(f"fetching {name}") as progress:
        record, path = download_named(name, progress=progress)
    if not record.sha256:
        say(f"of the hash only its first 8 digits are published; they fit: {record.sha256_begins}")
    say(f"{record.name}: {path}")
    say(f"licence: {record.licence}")
