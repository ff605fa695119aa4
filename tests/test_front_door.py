"""What `import opticflow` offers."""

import subprocess
import sys

import opticflow


def test_the_names_are_few_sorted_and_there():
    assert opticflow.__all__ == sorted(opticflow.__all__) and len(opticflow.__all__) <= 15
    assert all(getattr(opticflow, name) is not None for name in opticflow.__all__)
    assert set(opticflow.__all__) <= set(dir(opticflow))


def test_help_does_not_wait_for_pytorch():
    code = "import sys, opticflow.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
