"""Tools: how they are described, how a call is held to its schema and read."""
