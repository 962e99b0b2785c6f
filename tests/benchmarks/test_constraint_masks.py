"""The benchmark runs; its figures are for a quiet machine."""

from pathlib import Path

from benchmarks.constraint_masks import measure
from sterna.engine.synth.tokenizer import special_tokens, write_tokenizer
from sterna.server.constraints.grammars import Regex
from sterna.server.constraints.matchers import GrammarVocabulary


def test_masks_are_timed(tmp_path: Path) -> None:
    write_tokenizer(tmp_path, 320, 64)
    ends = {special_tokens(320).end_of_turn}
    vocabulary = GrammarVocabulary.load((tmp_path / "tokenizer.json").read_text(), 320, ends)
    figures = measure("regex", Regex("[a-z]+"), vocabulary)
    assert figures["masks"]
    assert figures["median_us"] is not None
