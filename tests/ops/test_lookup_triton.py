"""The kernels for NVIDIA's GPUs: in Triton's interpreter where there is no GPU (see conftest), and compiled for one."""

import os
import subprocess
import sys

import pytest
import torch

from opticflow.kernels import dispatch
from opticflow.ops import lookup
from opticflow.ops.correlation import CorrelationVolume
from opticflow.ops.lookup import GatheredCorrelation, OnDemandCorrelation

pytest.importorskip("triton")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
FORMS = [GatheredCorrelation, OnDemandCorrelation]


@pytest.fixture(autouse=True)
def by_triton(monkeypatch):
    from opticflow.kernels import lookup_triton

    monkeypatch.setattr(lookup, "_kernels", lambda _: lookup_triton)


def case(*shape: int, kind=torch.float32):
    """Features, and places in turn: at home, moved a little, partly and wholly outside, and back."""
    random = torch.Generator().manual_seed(0)
    pair = [torch.randn(*shape, generator=random, dtype=kind).to(DEVICE).requires_grad_() for _ in range(2)]
    batch, _, height, width = shape
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    near = torch.stack((x, y)) + torch.rand(batch, 2, height, width, generator=random, dtype=kind)
    return pair, [(near + move).to(DEVICE) for move in (0.0, 1.25, -3.5, 1e6, 0.0)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("shape", "radius", "levels"), [((2, 5, 3, 2), 3, 2), ((1, 37, 2, 4), 4, 2), ((1, 3, 1, 1), 1, 1)]
)
def test_the_kernels_agree_with_the_plain_form(form, shape, radius, levels):
    pair, places = case(*shape)
    forms = [each(*pair, radius=radius, levels=levels) for each in (CorrelationVolume, form)]
    wanted, found = (torch.cat([each.lookup(place) for place in places], 1) for each in forms)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-4)
    weights = torch.randn(found.shape, generator=torch.Generator().manual_seed(1)).to(DEVICE)
    one, other = (torch.autograd.grad(values, pair, weights) for values in (wanted, found))
    torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("form", FORMS)
def test_gradients_in_double_precision(form):
    pair, places = case(1, 2, 2, 2, kind=torch.float64)

    def look(first, second):
        found = form(first, second, levels=1, radius=1)
        return torch.cat([found.lookup(place) for place in places[:2]], 1)

    assert torch.autograd.gradcheck(look, pair, fast_mode=True)


COMPILE = """
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
import triton
from opticflow.kernels import lookup_triton
constants = {"RADIUS": 4, "PLACES": 128, "CHANNELS": 32}
numbers = {"scale": "fp32", "corners": "*i32"}
numbers |= dict.fromkeys(["positions", "height", "width", "channels", "found_stride", "gradient_stride"], "i32")
for kernel in (lookup_triton._gather, lookup_triton._read, lookup_triton._spread):
    names = kernel.arg_names
    signature = {name: "constexpr" if name in constants else numbers.get(name, "*fp32") for name in names}
    source = ASTSource(fn=kernel, signature=signature, constexprs={n: constants[n] for n in names if n in constants})
    assert triton.compile(source, target=GPUTarget("cuda", 80, 32)).asm["cubin"]
"""


def test_the_kernels_compile_for_a_gpu_that_need_not_be_there(tmp_path):
    environment = {**os.environ, "TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run([sys.executable, "-c", COMPILE], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_without_a_gpu_triton_is_not_there():
    assert torch.cuda.is_available() or not dispatch.has_triton()
