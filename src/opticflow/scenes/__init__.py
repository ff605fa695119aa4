"""Synthetic worlds: generators of frames with exact ground-truth flow."""
