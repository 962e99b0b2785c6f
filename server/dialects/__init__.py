"""How each API tells errors and events."""
