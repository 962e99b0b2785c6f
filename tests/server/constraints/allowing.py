"""Which texts a grammar allows, in the tokens of the scripted model: one for each byte."""

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sterna.server.constraints.grammars import JsonSchema
from sterna.server.constraints.matchers import GrammarVocabulary
from tests.server.scripted import SPECIAL, VOCAB_SIZE, ids_of, tokenizer


@cache
def vocabulary() -> GrammarVocabulary:
    """All of it, read once."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        tokenizer().save(str(path))
        ends = {SPECIAL.end_of_text, SPECIAL.end_of_turn}
        return GrammarVocabulary.load(path.read_text(), VOCAB_SIZE, ends)


def allows(vocabulary: GrammarVocabulary, grammar: str, text: str) -> bool:
    """Whether an answer may be just this text."""
    matcher = vocabulary.compile(grammar).start()
    mask = bytearray(4 * len(vocabulary.known))
    for token_id in [*ids_of(text), SPECIAL.end_of_turn]:
        matcher.fill_mask(memoryview(mask))
        if not mask[token_id // 8] >> token_id % 8 & 1:
            return False
        if token_id != SPECIAL.end_of_turn:
            matcher.accept(token_id)
    return True


def allowed(schema: dict[str, Any], texts: list[str], *, is_exact: bool = True) -> list[str]:
    """Those of the texts that the schema allows."""
    grammar = JsonSchema(schema, is_exact).text()
    return [text for text in texts if allows(vocabulary(), grammar, text)]


def allowed_values(
    schema: dict[str, Any], values: list[Any], *, is_exact: bool = True
) -> list[Any]:
    """Those of the values that the schema allows, in the form of Python."""
    grammar = JsonSchema(schema, is_exact).text()
    return [value for value in values if allows(vocabulary(), grammar, json.dumps(value))]
