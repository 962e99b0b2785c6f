from array import array

import numpy as np

from sterna.engine.execution.model_input import build_step
from sterna.engine.kernels import Step
from sterna.engine.requests.batch import BatchEntry
from sterna.engine.requests.logprobs import PromptLogprob
from sterna.engine.requests.request import Request, SamplingParams


def make_request(token_ids: list[int], num_computed: int, blocks: list[int]) -> Request:
    request = Request("r", token_ids, SamplingParams(max_tokens=9))
    request.num_computed_tokens = num_computed
    request.block_table = array("i", blocks)
    return request


def check(step: Step, **expected: list[int] | list[list[int]]) -> None:
    for name, values in expected.items():
        got = getattr(step, name)
        assert got.dtype == np.int32, name
        assert got.tolist() == values, name


def test_arrays_of_a_mixed_batch() -> None:
    """A decoding request, the middle of a prompt, and the end of one; blocks of 16 tokens."""
    decoding = make_request(list(range(100, 117)), num_computed=16, blocks=[7, 2])
    middle = make_request(list(range(200, 240)), num_computed=30, blocks=[5, 0, 9])
    end = make_request([40, 41], num_computed=0, blocks=[3])
    batch = [BatchEntry(decoding, 1), BatchEntry(middle, 4), BatchEntry(end, 2)]
    check(
        build_step(batch),
        token_ids=[116, 230, 231, 232, 233, 40, 41],
        positions=[16, 30, 31, 32, 33, 0, 1],
        slots=[32, 14, 15, 144, 145, 48, 49],
        block_tables=[[7, 2, 0], [5, 0, 9], [3, 0, 0]],
        query_starts=[0, 1, 5, 7],
        logit_rows=[0, 6],
    )


def test_batch_in_which_nobody_samples() -> None:
    request = make_request([1, 2, 3, 4, 5], num_computed=0, blocks=[0])
    check(build_step([BatchEntry(request, 3)]), logit_rows=[])


def test_resumed_request_is_scored_from_where_it_was() -> None:
    """Its cached prefix may end earlier: what lies between has its scores already."""
    tokens = list(range(100, 140))
    request = Request("r", list(tokens), SamplingParams(max_tokens=9, prompt_logprobs=0))
    request.prompt_logprobs = [PromptLogprob(token_id, -0.5) for token_id in tokens[:20]]
    request.num_computed_tokens = 16
    request.block_table = array("i", [0, 1])
    check(build_step([BatchEntry(request, 6)]), logit_rows=[3, 4, 5])
