"""Logprobs in the shapes of OpenAI and vLLM."""

from math import inf

from tokenizers import Tokenizer, decoders, models

from sterna.engine import PromptLogprob, TokenLogprob
from sterna.server.answers.logprobs import LogprobWriter
from sterna.server.generation.text_delta import TextDelta, TextToken
from sterna.server.text.vocabulary import Vocabulary
from tests.server.scripted import ids_of, tokenizer

A, B, C = ids_of("abc")
FIRST, SECOND = ids_of("é")
WRITER = LogprobWriter(Vocabulary(tokenizer()))


def top(*pairs: tuple[int, float]) -> tuple[TokenLogprob, ...]:
    return tuple(TokenLogprob(*pair) for pair in pairs)


def test_chat_lists_the_token_and_what_could_have_stood_there() -> None:
    token = TextToken(B, -2.0, top((A, -0.5), (FIRST, -1.5)), 0)
    assert WRITER.chat([token]).model_dump() == {
        "content": [
            {
                "token": "b",
                "logprob": -2.0,
                "bytes": [98],
                "top_logprobs": [
                    {"token": "a", "logprob": -0.5, "bytes": [97]},
                    {"token": "bytes:\\xc3", "logprob": -1.5, "bytes": [0xC3]},
                ],
            }
        ],
        "refusal": None,
    }


def test_completions_list_each_kind_of_value() -> None:
    tokens = [
        TextToken(A, None, (), 0),
        TextToken(B, -2.0, top((C, -0.25)), 1),
        TextToken(C, -0.25, top((C, -0.25)), 2),
        TextToken(C, -1.0, (), 3),
    ]
    assert WRITER.completion(tokens).model_dump() == {
        "tokens": ["a", "b", "c", "c"],
        "token_logprobs": [None, -2.0, -0.25, -1.0],
        "top_logprobs": [None, {"c": -0.25, "b": -2.0}, {"c": -0.25}, {"c": -1.0}],
        "text_offset": [0, 1, 2, 3],
    }


def test_the_better_of_two_tokens_with_one_text_is_listed() -> None:
    """Else whoever compares the token's logprob with the best would take it for the best."""
    fallback, word = 0, 1
    two = Tokenizer(models.BPE(vocab={"<0x41>": fallback, "A": word}, merges=[]))
    two.decoder = decoders.ByteFallback()
    token = TextToken(fallback, -3.0, top((word, -0.1)), 0)
    assert LogprobWriter(Vocabulary(two)).completion([token]).top_logprobs == [{"A": -0.1}]


def test_a_prompt_has_ranks_and_null_first() -> None:
    scores = (
        PromptLogprob(A, None),
        PromptLogprob(B, -0.5, top((B, -0.5), (C, -1.0)), 1),
        PromptLogprob(C, -9.0, top((A, -0.25), (B, -0.5)), 77),
    )
    written = WRITER.prompt(TextDelta(0, "", 1, 0, None, prompt_logprobs=scores), num_top=1)
    assert written is not None and written[0] is None
    entries = [
        {token_id: (e.logprob, e.rank, e.decoded_token) for token_id, e in (entry or {}).items()}
        for entry in written[1:]
    ]
    assert entries == [{B: (-0.5, 1, "b")}, {C: (-9.0, 77, "c"), A: (-0.25, 1, "a")}]
    assert WRITER.prompt(TextDelta(0, "", 1, 0, None, prompt_logprobs=scores), None) is None
    assert WRITER.prompt(TextDelta(0, "", 1, 0, None), num_top=1) is None


def test_the_impossible_can_be_written_as_json() -> None:
    token = TextToken(A, -inf, top((B, -inf)), 0)
    assert WRITER.chat([token]).content[0].logprob == -9999.0
    assert WRITER.completion([token]).token_logprobs == [-9999.0]
    assert WRITER.completion([token]).top_logprobs == [{"a": -9999.0, "b": -9999.0}]
