"""Computes a batch with the kernels: batch -> arrays -> logits -> token ids."""

from collections.abc import Sequence

from sterna.engine.execution.model_input import build_step
from sterna.engine.execution.prompt_scores import score_prompts
from sterna.engine.execution.row_sampler import sample_rows
from sterna.engine.kernels import Program
from sterna.engine.requests.batch import BatchEntry, Outcomes


class ModelRunner:
    """Runs batches through a program, whose caches hold the blocks that the batches name."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def run(self, batch: Sequence[BatchEntry]) -> list[Outcomes]:
        """Compute the tokens of every entry; return what each entry that samples got, in order.

        Scores of prompts are added to the requests' ``prompt_logprobs``.
        """
        logits = self._program.run(build_step(batch))
        requests = [entry.request for entry in batch if entry.samples]
        if len(logits) > len(requests):
            score_prompts(self._program, logits[len(requests) :], batch)
        outcomes = sample_rows(self._program, logits[: len(requests)], requests)
        return [(outcome,) for outcome in outcomes]
