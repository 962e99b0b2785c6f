"""How each API writes errors and events. A new one is a file here, and a line in ``registry``."""
