"""Measured comparisons; each says how to run it."""
