"""Reference-counted KV-cache blocks, with reuse of blocks that hold a known prefix."""

from collections import OrderedDict


class BlockPool:
    """Allocates block ids. A block without references is free.

    A free block keeps its content, so that a later request with the same prefix can share it,
    until the block is needed for something else. Blocks are reused least recently freed first.
    Every method takes constant time per block.
    """

    def __init__(self, num_blocks: int) -> None:
        self._ref_counts = [0] * num_blocks
        self._free: OrderedDict[int, None] = OrderedDict.fromkeys(range(num_blocks))
        self._block_by_hash: dict[bytes, int] = {}
        self._hash_by_block: dict[int, bytes] = {}
        self.num_shared = 0  # blocks with more than one reference

    @property
    def num_blocks(self) -> int:
        """Number of blocks, free or not."""
        return len(self._ref_counts)

    @property
    def num_free(self) -> int:
        """Number of free blocks."""
        return len(self._free)

    def allocate(self, count: int) -> list[int]:
        """Take ``count`` blocks; the caller has checked ``num_free``."""
        return [self._take_oldest() for _ in range(count)]

    def share(self, prefix_hash: bytes) -> int | None:
        """Add a reference to the block that holds this prefix, if there is one."""
        block = self._block_by_hash.get(prefix_hash)
        if block is not None:
            self._free.pop(block, None)
            self._ref_counts[block] += 1
            self.num_shared += self._ref_counts[block] == 2
        return block

    def publish(self, block: int, prefix_hash: bytes) -> None:
        """Register a full block under the hash of the tokens up to its end."""
        if prefix_hash not in self._block_by_hash:
            self._block_by_hash[prefix_hash] = block
            self._hash_by_block[block] = prefix_hash

    def forget(self, block: int) -> None:
        """Unregister a block, so that its content is no longer shared."""
        if (stale := self._hash_by_block.pop(block, None)) is not None:
            del self._block_by_hash[stale]

    def release(self, block: int) -> None:
        """Drop one reference."""
        self._ref_counts[block] -= 1
        self.num_shared -= self._ref_counts[block] == 1
        if self._ref_counts[block] == 0:
            self._free[block] = None
            if block not in self._hash_by_block:  # nothing to reuse: hand it out first
                self._free.move_to_end(block, last=False)

    def check_integrity(self) -> None:
        """Assert that each block is free or referenced, with at most one hash."""
        for block, count in enumerate(self._ref_counts):
            assert count >= 0, f"block {block} has {count} references"
            assert (count == 0) == (block in self._free), f"block {block}: {count} references"
        assert self.num_shared == sum(count > 1 for count in self._ref_counts)
        assert self._block_by_hash == {h: b for b, h in self._hash_by_block.items()}

    def _take_oldest(self) -> int:
        block, _ = self._free.popitem(last=False)
        self.forget(block)
        self._ref_counts[block] = 1
        return block
