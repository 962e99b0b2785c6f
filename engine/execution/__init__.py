"""A batch becomes arrays, logits and then token ids."""
