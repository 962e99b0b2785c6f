"""``sterna bench http``: load on any OpenAI-compatible server, measured by its clients."""
