"""A prompt as an answer repeats it: each token has its place in the text."""

from sterna.server.text.echo import Echo
from tests.server.scripted import SPECIAL, ids_of, tokenizer

decode = tokenizer().decode


def test_each_token_begins_where_the_text_before_it_ends() -> None:
    echo = Echo.of([SPECIAL.begin_of_text, *ids_of("aéb")], decode)
    assert echo.text == "aéb"
    assert echo.text_offsets == [0, 0, 1, 1, 2]  # a part of a character: where it begins


def test_a_text_is_repeated_as_it_was_given() -> None:
    echo = Echo.of([SPECIAL.end_of_turn, *ids_of("ab")], decode, "<|eot_id|>ab")
    assert echo.text == "<|eot_id|>ab"
    assert len(echo.text_offsets) == 3
    assert Echo.of(ids_of("abc"), decode, "a").text_offsets == [0, 1, 1]  # never past its end


def test_half_a_character_is_left_to_the_answer() -> None:
    assert Echo.of(ids_of("aé")[:-1], decode).text == "a"
