"""A guide's masks are its matcher's, computed on another thread; what raises is told, not lost."""

from collections.abc import Iterator
from contextlib import closing
from threading import Event, get_ident

import pytest

from sterna.engine.constraints.guide import Guide
from sterna.engine.constraints.mask_pool import MaskPool
from sterna.engine.errors import ConstraintError, GenerationError
from tests.engine.matchers import Rule, RuleMatcher, broken, even

VOCAB_SIZE = 70  # three words, not all of the last


@pytest.fixture
def masks() -> Iterator[MaskPool]:
    with closing(MaskPool()) as masks:
        yield masks


def allowed(guide: Guide) -> set[int]:
    assert guide.failure() is None
    assert len(guide.mask) == 12
    return {v for v in range(96) if guide.mask[v // 8] >> v % 8 & 1}


def test_mask_follows_the_tokens(masks: MaskPool) -> None:
    rising = Rule(VOCAB_SIZE, lambda token_id, tokens: token_id > max(tokens, default=-1), length=3)
    guide = Guide(rising, VOCAB_SIZE, masks)
    assert allowed(guide) == set(range(VOCAB_SIZE))
    guide.advance(5)
    assert allowed(guide) == set(range(6, VOCAB_SIZE))
    guide.advance(60)
    guide.failure()
    assert not guide.is_finished
    guide.advance(61)
    assert guide.failure() is None
    assert guide.is_finished


def test_engine_thread_does_not_wait_until_it_needs_the_mask(masks: MaskPool) -> None:
    gate = Event()
    slow = Rule(VOCAB_SIZE, lambda token_id, _: gate.wait(60) and token_id == 3)
    guide = Guide(slow, VOCAB_SIZE, masks)  # would never return, if it waited
    gate.set()
    assert allowed(guide) == {3}
    assert isinstance(guide._matcher, RuleMatcher)
    assert get_ident() not in guide._matcher.threads


@pytest.mark.parametrize("after", [0, 1])
def test_error_of_a_matcher_is_told(masks: MaskPool, after: int) -> None:
    guide = Guide(broken(VOCAB_SIZE, after), VOCAB_SIZE, masks)
    if after:
        assert guide.failure() is None
        guide.advance(1)
    error = guide.failure()
    assert type(error) is GenerationError
    assert str(error) == "the constraint failed: ValueError('the grammar is broken')"


def test_fault_of_a_grammar_is_told_as_it_is(masks: MaskPool) -> None:
    fault = ConstraintError("too complex")

    def allows(*_: object) -> bool:
        raise fault

    assert Guide(Rule(VOCAB_SIZE, allows), VOCAB_SIZE, masks).failure() is fault


def test_token_that_the_matcher_refuses_is_an_error(masks: MaskPool) -> None:
    guide = Guide(even(VOCAB_SIZE), VOCAB_SIZE, masks)
    assert guide.failure() is None
    guide.advance(3)
    assert "did not allow" in str(guide.failure())
