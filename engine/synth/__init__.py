"""Checkpoints with random weights, for benchmarks and tests."""
