from sterna.engine.scheduling.block_pool import BlockPool


def test_blocks_are_handed_out_in_order_and_reused_oldest_first() -> None:
    pool = BlockPool(4)
    assert pool.allocate(3) == [0, 1, 2]
    for block, name in ((1, b"b"), (0, b"a")):
        pool.publish(block, name)
        pool.release(block)
    assert pool.num_free == 3
    assert pool.allocate(3) == [3, 1, 0]


def test_block_with_nothing_to_share_is_reused_first() -> None:
    pool = BlockPool(3)
    first, second = pool.allocate(2)
    pool.publish(first, b"prefix")
    pool.release(first)
    pool.release(second)
    assert pool.allocate(1) == [second]


def test_free_block_can_be_shared_until_it_is_reused() -> None:
    pool = BlockPool(1)
    [block] = pool.allocate(1)
    pool.publish(block, b"prefix")
    pool.release(block)
    assert pool.share(b"prefix") == block
    assert pool.num_free == 0
    pool.release(block)
    assert pool.allocate(1) == [block]
    assert pool.share(b"prefix") is None


def test_shared_block_is_free_when_the_last_reference_goes() -> None:
    pool = BlockPool(2)
    [block] = pool.allocate(1)
    pool.publish(block, b"prefix")
    pool.share(b"prefix")
    pool.release(block)
    assert pool.num_free == 1
    pool.release(block)
    assert pool.num_free == 2
    pool.check_integrity()


def test_first_block_published_under_a_hash_keeps_it() -> None:
    pool = BlockPool(2)
    pool.allocate(2)
    pool.publish(1, b"prefix")
    pool.publish(0, b"prefix")
    assert pool.share(b"prefix") == 1


def test_forgotten_block_is_not_shared() -> None:
    pool = BlockPool(1)
    [block] = pool.allocate(1)
    pool.publish(block, b"prefix")
    pool.forget(block)
    assert pool.share(b"prefix") is None
    pool.check_integrity()
