"""Numba and Triton forms of what `ops` computes, each with a plain form in PyTorch that it equals up to rounding."""
