"""Synthetic worlds with exact flow."""
