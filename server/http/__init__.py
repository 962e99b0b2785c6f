"""HTTP itself: the socket, limits, access, server-sent events."""
