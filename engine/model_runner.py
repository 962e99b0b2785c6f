"""Computes a batch with the real kernels: batch -> arrays -> logits -> token ids."""

from collections.abc import Sequence

from engine.batch import BatchEntry, SampledToken
from engine.kernels import Program
from engine.model_input import build_step
from engine.sampler import build_sampling


class ModelRunner:
    """Runs batches through a program, whose caches hold the blocks that the batches name."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def run(self, batch: Sequence[BatchEntry]) -> list[SampledToken]:
        """Compute the tokens of every entry; return one token per entry that samples, in order."""
        logits = self._program.run(build_step(batch))
        sampling = build_sampling([entry.request for entry in batch if entry.samples])
        token_ids, logprobs = self._program.sample(logits, sampling)
        return [
            SampledToken(None if token_id < 0 else token_id, logprob)  # < 0: not finite
            for token_id, logprob in zip(token_ids.tolist(), logprobs.tolist(), strict=True)
        ]
