"""Benchmarks of the engine: how far it runs below the machine's limits, probed in the same run."""
