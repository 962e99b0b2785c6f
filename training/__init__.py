"""The recipe that trained the built-in model; see README.md. Not part of the wheel."""
