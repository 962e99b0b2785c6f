"""HTTP: the socket, limits, API keys, server-sent events."""
