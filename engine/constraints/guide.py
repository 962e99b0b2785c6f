"""A request's position in its constraint, and the mask of the tokens allowed next.

Masks are computed on other threads: as soon as a token is chosen, the matcher takes it and fills
the next mask, while the model computes the logits that the mask is for.
"""

from sterna.engine.constraints.constraint import Constraint, Matcher
from sterna.engine.constraints.mask_pool import MaskPool
from sterna.engine.errors import GenerationError


class Guide:
    """Drives one matcher, with one job at a time; belongs to a request, as its tokens do.

    Call ``failure`` before anything else is read: it waits for the job in flight.
    """

    def __init__(self, constraint: Constraint, vocab_size: int, masks: MaskPool) -> None:
        self.mask = bytearray(4 * -(-vocab_size // 32))  # see ``Matcher.fill_mask``
        self.is_finished = False  # only a stop token may follow
        self._masks = masks
        self._matcher: Matcher | None = None
        self._job = masks.submit(lambda: self._start(constraint))

    def advance(self, token_id: int) -> None:
        """Take a token that was allowed, and begin to compute the next mask. Does not wait."""
        self._job = self._masks.submit(lambda: self._advance(token_id))

    def failure(self) -> GenerationError | None:
        """Wait for the mask. Returns the error if the matcher has raised or hangs."""
        error = self._masks.wait(self._job)
        if error is None or isinstance(error, GenerationError):
            return error
        return GenerationError(f"the constraint failed: {error!r}")

    def _start(self, constraint: Constraint) -> None:
        self._matcher = constraint.start()
        self._fill()

    def _advance(self, token_id: int) -> None:
        assert self._matcher is not None
        self._matcher.accept(token_id)
        self._fill()

    def _fill(self) -> None:
        assert self._matcher is not None
        if not self._matcher.is_finished:
            self._matcher.fill_mask(memoryview(self.mask))
        self.is_finished = self._matcher.is_finished  # some find out while they fill the mask
