"""From a checked body to a stream of text."""
