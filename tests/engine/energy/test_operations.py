import pytest

from sterna.engine.energy.operations import OperationCosts, OperationCounter, Operations
from sterna.engine.requests.batch import BatchEntry
from sterna.engine.requests.request import Request, SamplingParams

COSTS = OperationCosts(linear_per_token=100, head_per_row=1000, attention_per_context_token=10)


def count(*batch: BatchEntry) -> Operations:
    counter = OperationCounter(COSTS)
    counter.count(batch)
    return counter.total


def test_a_prompt_attends_to_all_before_each_token() -> None:
    request = Request("r", [1, 2, 3, 4], SamplingParams(max_tokens=1))
    assert count(BatchEntry(request, 4)) == Operations(400, 1000, 10 * (1 + 2 + 3 + 4))


@pytest.mark.parametrize("chunk", [1, 3, 8])
def test_chunks_take_together_what_the_whole_takes(chunk: int) -> None:
    counter = OperationCounter(COSTS)
    request = Request("r", list(range(8)), SamplingParams(max_tokens=1))
    while request.num_pending_tokens:
        num_tokens = min(chunk, request.num_pending_tokens)
        counter.count([BatchEntry(request, num_tokens)])
        request.num_computed_tokens += num_tokens
    assert counter.total == Operations(800, 1000, 10 * 36)


def test_a_prompt_that_is_scored_takes_more_rows_of_logits() -> None:
    """All but its last token score the one after them; the last gives the next token."""
    request = Request("r", [1, 2, 3, 4], SamplingParams(max_tokens=1, prompt_logprobs=0))
    assert count(BatchEntry(request, 4)).head == 4 * 1000
