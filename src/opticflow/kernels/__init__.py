"""Numba and Triton kernels for what `ops` computes; each has a reference form in PyTorch that it equals up to
rounding."""
