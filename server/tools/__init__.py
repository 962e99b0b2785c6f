"""Tools: describing them, constraining calls to their schemas, and reading calls."""
