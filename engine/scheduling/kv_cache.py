"""Block tables of requests: which cache blocks hold each request's keys and values."""

from array import array
from hashlib import sha256

from sterna.engine.requests.request import Request
from sterna.engine.scheduling.block_pool import BlockPool


class KVCache:
    """Grows, shares and frees the block tables of requests. Holds no tensors.

    The keys and values of a request's token ``p`` are in slot ``p % block_tokens`` of block
    ``request.block_table[p // block_tokens]``.
    """

    def __init__(self, num_blocks: int, block_tokens: int) -> None:
        self.block_tokens = block_tokens
        self._pool = BlockPool(num_blocks)

    @property
    def num_blocks(self) -> int:
        """Blocks in all."""
        return self._pool.num_blocks

    @property
    def num_free_blocks(self) -> int:
        """Number of blocks that no request holds; they may keep a prefix for a later one."""
        return self._pool.num_free

    @property
    def num_shared_blocks(self) -> int:
        """Number of blocks held by two or more requests with a common prefix."""
        return self._pool.num_shared

    def share_prefix(self, request: Request) -> None:
        """Start the block table with the blocks that already hold the request's prefix.

        Tokens whose logits are needed are left to compute: the last, and a prompt's to be scored.
        """
        for index in range(request.next_logits_position // self.block_tokens):
            block = self._pool.share(self._block_hash(request, index))
            if block is None:
                break
            request.block_table.append(block)
        request.num_computed_tokens = len(request.block_table) * self.block_tokens

    def has_room(self, request: Request, num_spare_blocks: int) -> bool:
        """Return whether all tokens of the request fit, with this many blocks to spare."""
        missing = self._num_missing_blocks(request, request.num_pending_tokens)
        return missing + num_spare_blocks <= self._pool.num_free

    def extend(self, request: Request, num_tokens: int) -> bool:
        """Make room for the next ``num_tokens``. False, with nothing changed, if there is none."""
        missing = self._num_missing_blocks(request, num_tokens)
        if missing <= 0:
            return True
        if missing > self._pool.num_free:
            return False
        request.block_table.extend(self._pool.allocate(missing))
        return True

    def commit(self, request: Request, num_tokens: int) -> None:
        """Record that ``num_tokens`` more are in the cache; publish the blocks they filled."""
        first = request.num_computed_tokens // self.block_tokens
        request.num_computed_tokens += num_tokens
        for index in range(first, request.num_computed_tokens // self.block_tokens):
            self._pool.publish(request.block_table[index], self._block_hash(request, index))

    def release(self, request: Request) -> None:
        """Release every block, last first, so that a shared prefix is evicted last."""
        for block in reversed(request.block_table):
            self._pool.release(block)
        del request.block_table[:]
        request.num_computed_tokens = 0

    def discard(self, request: Request) -> None:
        """Release every block, and never share its content."""
        for block in request.block_table:
            self._pool.forget(block)
        self.release(request)

    def check_integrity(self) -> None:
        """Assert what must hold between any two steps; for tests."""
        self._pool.check_integrity()

    def _num_missing_blocks(self, request: Request, num_tokens: int) -> int:
        end = request.num_computed_tokens + num_tokens
        return -(-end // self.block_tokens) - len(request.block_table)

    def _block_hash(self, request: Request, index: int) -> bytes:
        """Hash of all tokens up to the end of block ``index``; each hash builds on the last."""
        hashes = request.block_hashes
        while len(hashes) <= index:
            start = len(hashes) * self.block_tokens
            tokens = array("i", request.token_ids[start : start + self.block_tokens])
            hashes.append(sha256(b"".join([*hashes[-1:], tokens.tobytes()])).digest())
        return hashes[index]
