"""Computes a batch with the real kernels: batch -> arrays -> logits -> token ids."""

from collections.abc import Sequence

from engine.batch import BatchEntry, SampledToken
from engine.kernels import Program
from engine.model_input import build_step
from engine.prompt_scores import score_prompts
from engine.row_sampler import sample_rows


class ModelRunner:
    """Runs batches through a program, whose caches hold the blocks that the batches name."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def run(self, batch: Sequence[BatchEntry]) -> list[SampledToken]:
        """Compute the tokens of every entry; return one token per entry that samples, in order.

        What the logits tell of a prompt is added to its request's ``prompt_logprobs``.
        """
        logits = self._program.run(build_step(batch))
        requests = [entry.request for entry in batch if entry.samples]
        if len(logits) > len(requests):
            score_prompts(self._program, logits[len(requests) :], batch)
        return sample_rows(self._program, logits[: len(requests)], requests)
