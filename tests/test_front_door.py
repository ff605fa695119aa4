"""What `import opticflow` offers."""

import os
import subprocess
import sys
from pathlib import Path

import opticflow


def test_the_names_are_few_sorted_and_there():
    assert opticflow.__all__ == sorted(opticflow.__all__) and len(opticflow.__all__) <= 30
    assert all(getattr(opticflow, name) is not None for name in opticflow.__all__)
    assert set(opticflow.__all__) <= set(dir(opticflow))


def test_help_does_not_wait_for_pytorch():
    code = "import sys, opticflow.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_training_and_estimates_do_without_what_only_video_downloads_and_tests_need(tmp_path):
    """Machines for training are often bare, and have no way to the network."""
    code = """
import sys
from pathlib import Path
sys.modules.update(dict.fromkeys(("av", "beartype", "pooch")))
import opticflow.cli.train, opticflow.estimator.speed, opticflow.train, opticflow.train.sources
from opticflow.evaluate.environment import environment
assert environment()["opticflow"] == opticflow.__version__
opticflow.load(device="cpu")
"""
    environment = {**os.environ, "OPTICFLOW_CACHE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_its_modules_need_no_import_of_their_own():
    code = """
import opticflow
assert "torch" not in __import__("sys").modules
for name in dir(opticflow):
    getattr(opticflow, name)
assert callable(opticflow.io.read_image) and callable(opticflow.visualize.flow_to_image)
assert not hasattr(opticflow, "nothing")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    missing = {path.stem for path in Path(opticflow.__file__).parent.glob("[a-z]*") if path.name != "cli"}
    assert missing - set(dir(opticflow)) <= {"assets", "kernels", "py", "runtime"}


def test_every_error_is_there():
    """A new one is exported, too."""
    from opticflow import errors

    known = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert known <= set(opticflow.__all__)


def test_models_are_listed_as_load_takes_them():
    names = opticflow.list_models()
    assert {"RAFT-small", "RAFT-small.worlds", "DIS"} <= set(names) and "RAFT" not in names
    assert {name.partition(".")[0] for name in names} <= set(opticflow.models.MODELS)
    for name in names:
        opticflow.load(name, device="cpu")
