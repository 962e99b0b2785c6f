"""This machine: processors, memory, limits of a container."""
