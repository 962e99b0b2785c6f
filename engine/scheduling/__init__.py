"""Which tokens of which requests run next, and where their keys and values live."""
