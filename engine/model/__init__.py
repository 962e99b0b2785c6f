"""The network and its weights: from a checkpoint's files to logits, by way of the kernels."""
