from array import array

import numpy as np

from engine.batch import BatchEntry
from engine.kernels import Step
from engine.model_input import build_step
from engine.request import Request, SamplingParams


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
    """A decoding request, the middle of a prompt, and the end of one; blocks of 4 tokens."""
    decoding = make_request([10, 11, 12, 13, 14], num_computed=4, blocks=[7, 2])
    middle = make_request(list(range(20, 31)), num_computed=3, blocks=[5, 0, 9])
    end = make_request([40, 41], num_computed=0, blocks=[3])
    batch = [BatchEntry(decoding, 1), BatchEntry(middle, 6), BatchEntry(end, 2)]
    check(
        build_step(batch, block_tokens=4),
        token_ids=[14, 23, 24, 25, 26, 27, 28, 40, 41],
        positions=[4, 3, 4, 5, 6, 7, 8, 0, 1],
        slots=[8, 23, 0, 1, 2, 3, 36, 12, 13],
        block_tables=[[7, 2, 0], [5, 0, 9], [3, 0, 0]],
        query_starts=[0, 1, 7, 9],
        context_lens=[5, 9, 2],
        logit_rows=[0, 8],
    )


def test_batch_in_which_nobody_samples() -> None:
    request = make_request([1, 2, 3, 4, 5], num_computed=0, blocks=[0])
    check(build_step([BatchEntry(request, 3)], block_tokens=4), logit_rows=[], context_lens=[3])
