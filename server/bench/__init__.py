"""``sterna bench http``: load on any OpenAI-compatible server, and what its clients see."""
