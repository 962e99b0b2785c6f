"""How the tokens of one sequence become text and a list of tokens that agree."""

from typing import Any

import pytest

from sterna.engine import FinishReason, PromptLogprob, SamplingParams, TokenOutput
from sterna.server.generation.job import GenerationJob
from sterna.server.generation.text_delta import TextAssembler, TextDelta
from sterna.server.text.checkpoint_text import FolderText
from sterna.server.text.echo import Echo
from sterna.server.text.tokenizer import Tokenizer
from tests.server.scripted import SPECIAL, ids_of, make_folder


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return Tokenizer.load(FolderText(make_folder(tmp_path_factory.mktemp("scripted"))))


def run(
    tokenizer: Tokenizer,
    ids: list[int],
    reason: FinishReason = FinishReason.LENGTH,
    params: SamplingParams | None = None,
    prompt: str = "x",
    **options: Any,
) -> list[TextDelta]:
    """The deltas of a sequence, up to the first with a finish reason."""
    job = GenerationJob(
        [ids_of(prompt)], params or SamplingParams(100), 1, options.pop("stops", ()), 0.0, **options
    )
    assembler = TextAssembler(job, 0, tokenizer)
    deltas = []
    for number, token_id in enumerate(ids, 1):
        last = reason if number == len(ids) else None
        deltas.append(assembler.add(TokenOutput("id", token_id, -number, 0, last)))
        if deltas[-1].finish_reason:
            break
    return deltas


def whole(deltas: list[TextDelta]) -> TextDelta:
    first, *rest = deltas
    for delta in rest:
        first = first.merge(delta)
    return first


@pytest.mark.parametrize("text", ["plain", "naïve 日本 👍🏽!", "👩‍👩‍👧"])
def test_every_token_is_listed_once_with_its_place(tokenizer: Tokenizer, text: str) -> None:
    answer = whole(run(tokenizer, ids_of(text), lists_tokens=True))
    assert answer.text == text
    assert answer.token_ids == ids_of(text)
    offsets = [at for at, character in enumerate(text) for _ in character.encode()]
    assert [token.text_offset for token in answer.tokens] == offsets
    assert [token.logprob for token in answer.tokens] == [-n for n, _ in enumerate(offsets, 1)]


def test_tokens_do_not_wait_for_their_text(tokenizer: Tokenizer) -> None:
    """A reader of a stream gets a token's logprob when it is made; its text may be held back."""
    deltas = run(tokenizer, ids_of("é! STO"), lists_tokens=True, stops=["STOP"])
    assert all(len(delta.tokens) == 1 for delta in deltas)
    assert [delta.text for delta in deltas] == ["", "é", "!", " ", "", "", "STO"]


def test_tokens_of_a_text_that_is_cut_are_listed_too(tokenizer: Tokenizer) -> None:
    answer = whole(run(tokenizer, ids_of("one END two"), lists_tokens=True, stops=["END"]))
    assert answer.text == "one "
    assert answer.token_ids == ids_of("one END")
    assert (answer.finish_reason, answer.stop_reason) == ("stop", "END")


def test_a_stop_token_is_listed_and_no_text(tokenizer: Tokenizer) -> None:
    ids = [*ids_of("ab"), SPECIAL.end_of_turn]
    answer = whole(run(tokenizer, ids, FinishReason.STOP, lists_tokens=True))
    assert (answer.text, answer.token_ids, answer.stop_reason) == ("ab", ids, None)


def test_tokens_are_listed_only_if_asked_for(tokenizer: Tokenizer) -> None:
    assert whole(run(tokenizer, ids_of("ab"))).tokens == ()


def test_the_stop_may_be_kept(tokenizer: Tokenizer) -> None:
    kept = whole(run(tokenizer, ids_of("one END two"), stops=["END"], keeps_stop=True))
    assert (kept.text, kept.finish_reason) == ("one END", "stop")
    c = ids_of("c")[0]
    params = SamplingParams(100, stop_token_ids=frozenset({c}))
    for keeps_stop, text in ((True, "abc"), (False, "ab")):
        answer = whole(
            run(tokenizer, ids_of("abc"), FinishReason.STOP, params, keeps_stop=keeps_stop)
        )
        assert (answer.text, answer.stop_reason) == (text, c)


def test_special_tokens_may_be_text(tokenizer: Tokenizer) -> None:
    ids = [SPECIAL.begin_of_text, *ids_of("a")]
    assert whole(run(tokenizer, ids)).text == "a"
    assert whole(run(tokenizer, ids, skips_special=False)).text == "<|begin_of_text|>a"


def test_a_stop_string_counts_only_after_the_least_tokens(tokenizer: Tokenizer) -> None:
    params = SamplingParams(100, min_tokens=6)
    answer = whole(run(tokenizer, ids_of("END, END, END"), params=params, stops=["END"]))
    assert answer.text == "END, E" + "ND, "


def test_an_answer_goes_on_within_a_character(tokenizer: Tokenizer) -> None:
    first, second = ids_of("é")
    job = GenerationJob(
        [[*ids_of("caf"), first]], SamplingParams(9), 1, (), 0.0, continues_text=True
    )
    assembler = TextAssembler(job, 0, tokenizer)
    assert assembler.add(TokenOutput("id", second, -1.0, 0, None)).text == "é"


def test_an_echo_moves_the_answer_s_tokens(tokenizer: Tokenizer) -> None:
    echo = Echo("four", [0, 1, 2, 3])
    deltas = run(tokenizer, ids_of("ab"), lists_tokens=True, echoes=[echo], continues_text=True)
    assert [token.text_offset for token in whole(deltas).tokens] == [4, 5]


def test_an_end_without_a_token(tokenizer: Tokenizer) -> None:
    """The prompt alone was scored."""
    scores = (PromptLogprob(5, None),)
    job = GenerationJob([[5]], SamplingParams(1), 1, (), 0.0, lists_tokens=True)
    output = TokenOutput("id", None, 0.0, 0, FinishReason.LENGTH, prompt_logprobs=scores)
    delta = TextAssembler(job, 0, tokenizer).add(output)
    assert delta == TextDelta(0, "", 0, 0, "length", prompt_logprobs=scores)


def test_merging_keeps_what_came_first_and_what_came_last() -> None:
    scores = (PromptLogprob(5, None),)
    first = TextDelta(0, "a", 1, 3, None, prompt_logprobs=scores)
    last = TextDelta(0, "b", 1, 3, "stop", stop_reason="x")
    assert first.merge(last) == TextDelta(0, "ab", 2, 3, "stop", "x", (), scores)
