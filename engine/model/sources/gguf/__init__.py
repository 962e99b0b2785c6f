"""GGUF files: the container, the block types, and the source made of both."""
