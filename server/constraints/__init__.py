"""The forms that an answer can be held to, and their compilation."""
