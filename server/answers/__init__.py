"""What a generation becomes in each API: JSON bodies and events."""
