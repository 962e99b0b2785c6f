"""Answers held to a grammar: when masks are computed, and where."""
