"""Put the weights that a training run has published into the package, in half precision, and print their record for the
manifest.

python scripts/ship_weights.py runs/default worlds
"""

import argparse
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pooch

from opticflow.weights import RUN_WEIGHTS
from opticflow.weights.checkpoint import read_checkpoint
from opticflow.weights.manifest import HERE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="the folder of the run")
    parser.add_argument("tag", help="of the weight set, behind the network's name")
    arguments = parser.parse_args()

    run = json.loads((arguments.run / "run.json").read_text())
    stages, samples = [], 0
    for stage in run["recipe"]["stages"]:
        states = [
            json.loads(path.read_text()) for path in (arguments.run / "stages" / stage["name"]).glob("*/state.json")
        ]
        if states:
            newest = max(states, key=lambda state: state["step"])
            stages.append(f"{stage['name']} {newest['step']}")
            samples += newest["samples"]
    found = replace(read_checkpoint(arguments.run / RUN_WEIGHTS), tag=arguments.tag, licence="Apache-2.0")
    halves = {name: t.half() if t.is_floating_point() else t for name, t in found.tensors.items()}
    file = HERE / f"{found.name}.safetensors"
    replace(found, tensors=halves).save(file)

    commit = subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], text=True).strip()
    print("[[weights]]")
    print(f'name = "{found.name}"')
    print(f'file = "{file.name}"')
    print(f'sha256 = "{pooch.file_hash(file)}"')
    print(f"bytes = {file.stat().st_size}")
    print(f"parameters = {found.parameters}")
    print('licence = "Apache-2.0"')
    print(
        f"training = {{ recipe = {json.dumps(run['recipe']['name'])}, steps = {json.dumps(', '.join(stages))}, "
        f"samples = {samples}, seed = {run['seed']}, commit = {json.dumps(commit)} }}"
    )


if __name__ == "__main__":
    main()
