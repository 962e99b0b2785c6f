"""A mask has what the grammar allows of the model's own tokens, and an error never opens it."""

from pathlib import Path

import numpy as np
import pytest

from sterna.engine import ConstraintError
from sterna.server.constraints.grammars import Grammar, Regex
from sterna.server.constraints.matchers import GrammarVocabulary, one_line
from tests.server.scripted import SPECIAL, VOCAB_SIZE, ids_of, tokenizer

ENDS = {SPECIAL.end_of_text, SPECIAL.end_of_turn}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vocabulary") / "tokenizer.json"
    tokenizer().save(str(path))
    return path


def allowed(vocabulary: GrammarVocabulary, grammar: str, text: str = "") -> set[int]:
    matcher = vocabulary.compile(grammar).start()
    for token_id in ids_of(text):
        matcher.accept(token_id)
    mask = bytearray(b"\xff" * 4 * len(vocabulary.known))
    matcher.fill_mask(memoryview(mask))
    return set(np.flatnonzero(np.unpackbits(np.frombuffer(mask, np.uint8), bitorder="little")))


def test_stop_tokens_are_allowed_where_the_text_may_end(path: Path) -> None:
    vocabulary = GrammarVocabulary.load(path.read_text(), VOCAB_SIZE, ENDS)
    grammar = Regex("ab?").text()
    assert allowed(vocabulary, grammar) == set(ids_of("a"))
    assert allowed(vocabulary, grammar, "a") == {*ids_of("b"), *ENDS}
    assert allowed(vocabulary, grammar, "ab") == ENDS


def test_an_id_without_a_token_is_never_allowed(path: Path) -> None:
    vocabulary = GrammarVocabulary.load(path.read_text(), VOCAB_SIZE + 50, ENDS)
    anything = Grammar("start: <[*]>").text()
    assert max(allowed(vocabulary, anything)) < VOCAB_SIZE


def test_free_text_has_no_special_tokens(path: Path) -> None:
    vocabulary = GrammarVocabulary.load(path.read_text(), VOCAB_SIZE, ENDS)
    found = allowed(vocabulary, Regex(r"(.|\n)*").text(), "a")
    special = set(tokenizer().get_added_tokens_decoder())
    assert found & special == ENDS


def test_a_model_smaller_than_its_tokenizer_is_refused(path: Path) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        GrammarVocabulary.load(path.read_text(), VOCAB_SIZE - 100, ENDS)


def test_a_token_that_was_not_allowed_is_an_error_that_stays(path: Path) -> None:
    compiled = GrammarVocabulary.load(path.read_text(), VOCAB_SIZE, ENDS).compile(
        Regex("ab").text()
    )
    matcher = compiled.start()
    with pytest.raises(ConstraintError):
        matcher.accept(ids_of("x")[0])
    with pytest.raises(ConstraintError):
        matcher.fill_mask(memoryview(bytearray(4 * -(-VOCAB_SIZE // 32))))
    compiled.start().accept(ids_of("a")[0])  # nobody else's error


def test_matchers_of_one_grammar_go_their_own_ways(path: Path) -> None:
    compiled = GrammarVocabulary.load(path.read_text(), VOCAB_SIZE, ENDS).compile(
        Regex("ab|c").text()
    )
    first, second = compiled.start(), compiled.start()
    first.accept(ids_of("c")[0])
    second.accept(ids_of("a")[0])
    assert first.is_finished
    assert not second.is_finished


def test_a_reason_is_one_line() -> None:
    assert one_line("parse error:\n  (?=a)\n  ^^^\nerror: no\n") == "parse error: (?=a) error: no"
    assert one_line("panic: x > y <backtrace>\n 0: main") == "panic: x > y"
    assert len(one_line("word " * 1000)) <= 300
