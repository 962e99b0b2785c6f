"""What this machine offers: processors, memory, limits of a container."""
