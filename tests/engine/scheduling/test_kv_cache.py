from sterna.engine.requests.request import Request, SamplingParams
from sterna.engine.scheduling.kv_cache import KVCache


def make_request(*token_ids: int) -> Request:
    return Request("r", list(token_ids), SamplingParams(max_tokens=8))


def fill(cache: KVCache, request: Request) -> None:
    cache.share_prefix(request)
    assert cache.extend(request, request.num_pending_tokens)
    cache.commit(request, request.num_pending_tokens)


def test_table_grows_by_whole_blocks() -> None:
    cache = KVCache(num_blocks=4, block_tokens=4)
    request = make_request(*range(9))
    assert cache.extend(request, 4)
    assert list(request.block_table) == [0]
    cache.commit(request, 4)
    assert cache.extend(request, 5)
    assert list(request.block_table) == [0, 1, 2]
    assert cache.num_free_blocks == 1


def test_extend_changes_nothing_when_there_is_no_room() -> None:
    cache = KVCache(num_blocks=2, block_tokens=4)
    request = make_request(*range(9))
    assert not cache.extend(request, 9)
    assert list(request.block_table) == []
    assert cache.num_free_blocks == 2


def test_full_blocks_of_a_prefix_are_shared() -> None:
    cache = KVCache(num_blocks=8, block_tokens=4)
    first, second = make_request(*range(10)), make_request(*range(8), 90, 91)
    fill(cache, first)
    cache.share_prefix(second)
    assert list(second.block_table) == [0, 1]
    assert second.num_computed_tokens == 8
    assert cache.num_shared_blocks == 2
    cache.release(first)
    assert cache.num_shared_blocks == 0


def test_last_token_is_always_left_to_compute() -> None:
    """Its logits are needed, so a prompt of whole blocks does not share the last one."""
    cache = KVCache(num_blocks=8, block_tokens=4)
    fill(cache, make_request(*range(8)))
    again = make_request(*range(8))
    cache.share_prefix(again)
    assert list(again.block_table) == [0]
    assert again.num_pending_tokens == 4


def test_equal_block_after_another_prefix_is_not_shared() -> None:
    cache = KVCache(num_blocks=8, block_tokens=2)
    fill(cache, make_request(1, 2, 3, 4, 5))
    similar = make_request(9, 2, 6)
    fill(cache, similar)
    other = make_request(9, 2, 3, 4, 5)
    cache.share_prefix(other)
    assert list(other.block_table) == [similar.block_table[0]]


def test_released_prefix_is_evicted_from_its_end() -> None:
    cache = KVCache(num_blocks=3, block_tokens=2)
    first = make_request(1, 2, 3, 4, 5)
    fill(cache, first)
    cache.release(first)
    other = make_request(7, 8, 9)
    fill(cache, other)  # takes the block with one token, then the end of the prefix
    assert list(other.block_table) == [2, 1]
    again = make_request(1, 2, 3, 4, 5)
    cache.share_prefix(again)
    assert list(again.block_table) == [0]


def test_discarded_blocks_are_free_and_not_shared() -> None:
    cache = KVCache(num_blocks=4, block_tokens=2)
    bad = make_request(1, 2, 3)
    fill(cache, bad)
    cache.discard(bad)
    again = make_request(1, 2, 3)
    cache.share_prefix(again)
    assert list(again.block_table) == []
    assert cache.num_free_blocks == 4
    cache.check_integrity()


def test_room_counts_the_spare_blocks() -> None:
    cache = KVCache(num_blocks=3, block_tokens=2)
    request = make_request(1, 2, 3)
    assert cache.has_room(request, num_spare_blocks=1)
    assert not cache.has_room(request, num_spare_blocks=2)
