"""A request, its place in a batch, and what comes out of it."""
