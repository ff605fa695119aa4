"""opticflow version"""

from opticflow.cli.printing import say


def version() -> None:
    """Print the versions of opticflow and of what its results depend on.

    Example: `opticflow version`
    """
    import platform

    import cv2
    import numpy
    import torch

    import opticflow

    say(f"opticflow {opticflow.__version__}")
    say(
        f"python {platform.python_version()} · torch {torch.__version__} · numpy {numpy.__version__} · "
        f"opencv {cv2.__version__}"
    )
