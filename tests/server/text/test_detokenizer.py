"""Whatever the text, the pieces add up to it, and none ends inside a character."""

from collections.abc import Callable
from random import Random

import pytest
from tokenizers import Tokenizer, decoders, models

from sterna.server.text.detokenizer import MAX_HELD_TOKENS, REPLACEMENT, Detokenizer, StopFinder
from tests.server.scripted import ids_of, tokenizer

FALLBACK = Tokenizer(models.BPE(vocab={f"<0x{i:02X}>": i for i in range(256)}, merges=[]))
FALLBACK.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
WORDS = Tokenizer(models.BPE(vocab={"\u2581one": 0, "\u2581two": 1, "x": 2}, merges=[]))
WORDS.decoder = decoders.Metaspace()
SPECIAL_ID = 3
WORDS.add_special_tokens(["<special>"])
SPACE = "\u2581"

Encode = Callable[[str], list[int]]
TEXTS = ["plain", "naïve café", "日本語", "👩‍👩‍👧‍👦 ok 👍🏽", "\ufffd real", ""]
BYTE_TOKENIZERS = [
    pytest.param(tokenizer(), ids_of, id="byte-level"),
    pytest.param(FALLBACK, lambda text: list(text.encode()), id="byte-fallback"),
]


def pieces(tokenizer: Tokenizer, ids: list[int]) -> list[str]:
    detokenizer = Detokenizer(tokenizer.decode)
    return [*map(detokenizer.push, ids), detokenizer.finish()]


@pytest.mark.parametrize(("tokenizer", "encode"), BYTE_TOKENIZERS)
@pytest.mark.parametrize("text", TEXTS)
def test_a_character_comes_whole(tokenizer: Tokenizer, encode: Encode, text: str) -> None:
    given = pieces(tokenizer, encode(text))
    assert "".join(given) == text
    if REPLACEMENT not in text:  # each came with its last byte
        assert [piece for piece in given if piece] == list(text)


def test_the_space_before_a_first_word_is_dropped_only_there() -> None:
    assert pieces(WORDS, [0, 1, 2, 0, 0]) == ["one", " two", "x", " one", " one", ""]


@pytest.mark.parametrize("num_special", [1, 2, 3, 40])
def test_a_skipped_special_token_keeps_the_space_after_it(num_special: int) -> None:
    special = [SPECIAL_ID] * num_special
    for ids in ([0, *special, 1], [*special, 0, *special, 1, *special, 1], [0, *special]):
        assert "".join(pieces(WORDS, ids)) == WORDS.decode(ids)
    after = Detokenizer(WORDS.decode, context=[0, SPECIAL_ID])
    assert after.push(1) == " two"


def test_a_first_token_that_is_only_a_space_keeps_the_next_one() -> None:
    spaces = Tokenizer(models.BPE(vocab={SPACE: 0, f"{SPACE}a": 1}, merges=[]))
    spaces.decoder = decoders.Metaspace()
    for ids in ([0, 1], [0, 0, 1], [1, 0, 1]):
        assert "".join(pieces(spaces, ids)) == spaces.decode(ids)


def test_a_text_may_go_on_after_another() -> None:
    assert Detokenizer(WORDS.decode).push(0) == "one"
    assert Detokenizer(WORDS.decode, context=[1]).push(0) == " one"


@pytest.mark.parametrize(("tokenizer", "encode"), BYTE_TOKENIZERS)
def test_a_text_may_go_on_within_a_character(tokenizer: Tokenizer, encode: Encode) -> None:
    for text in ("é", "x👍"):
        *context, last = encode(text)
        after = Detokenizer(tokenizer.decode, context)
        assert [after.push(last), *map(after.push, encode("!日"))][:2] == [text[-1], "!"]
        assert after.finish() == ""


@pytest.mark.parametrize(("tokenizer", "encode"), BYTE_TOKENIZERS)
def test_text_ends_inside_a_character(tokenizer: Tokenizer, encode: Encode) -> None:
    assert "".join(pieces(tokenizer, encode("aé")[:2])) == "a" + REPLACEMENT


def test_garbage_is_given_out_and_never_piles_up() -> None:
    """Bytes that can never become a character are held back for a while only."""
    detokenizer = Detokenizer(tokenizer().decode)
    first, second = ids_of("é")
    given = "".join(detokenizer.push(second) for _ in range(5 * MAX_HELD_TOKENS))
    assert given == REPLACEMENT * len(given)
    assert len(given) >= 4 * MAX_HELD_TOKENS
    after = [detokenizer.push(token_id) for token_id in [*ids_of("ok"), first, second]]
    assert "".join(after).endswith("oké")


def test_tokens_without_text_never_pile_up() -> None:
    """Else each would cost more to decode than the last."""
    sizes: list[int] = []

    def decode(ids: list[int]) -> str:
        sizes.append(len(ids))
        return WORDS.decode(ids)

    detokenizer = Detokenizer(decode)
    assert [detokenizer.push(SPECIAL_ID) for _ in range(100)] == [""] * 100
    assert max(sizes) <= 2 * MAX_HELD_TOKENS


@pytest.mark.parametrize(("tokenizer", "encode"), BYTE_TOKENIZERS)
def test_random_texts_add_up(tokenizer: Tokenizer, encode: Encode) -> None:
    random = Random(1)
    for _ in range(200):
        text = "".join(random.choices("ab é日👍\n", k=random.randrange(30)))
        assert "".join(pieces(tokenizer, encode(text))) == text


def stopped(text: str, stops: list[str], size: int = 1) -> tuple[str, bool, str]:
    """What is given out, whether a stop was found, and what was still held at the end."""
    finder = StopFinder(stops)
    given = "".join(finder.push(text[at : at + size]) for at in range(0, len(text), size))
    return given, finder.found, finder.finish()


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_text_is_cut_before_a_stop_string(size: int) -> None:
    assert stopped("one END two", ["END"], size) == ("one ", True, "")


def test_text_may_end_after_the_stop_string() -> None:
    finder = StopFinder(["END"], keeps_stop=True)
    assert finder.push("one EN") + finder.push("D two") == "one END"
    assert finder.stop == "END"
    assert finder.push("more") + finder.finish() == ""


def test_the_earliest_stop_string_wins() -> None:
    assert stopped("a b c", ["c", "b"], size=100) == ("a ", True, "")


def test_the_beginning_of_a_stop_string_is_held_back() -> None:
    finder = StopFinder(["\n\nUser:"])
    assert finder.push("Hi\n") == "Hi"
    assert finder.push("\nUse") == ""
    assert finder.push("ful") == "\n\nUseful"
    assert finder.push("\n") == ""
    assert finder.finish() == "\n"


def test_a_stop_string_may_begin_within_a_false_beginning() -> None:
    assert stopped("aaab", ["aab"]) == ("a", True, "")


def test_nothing_is_held_without_stop_strings() -> None:
    assert stopped("text", []) == ("text", False, "")


def test_random_texts_are_cut_where_find_says() -> None:
    random = Random(2)
    for _ in range(500):
        text = "".join(random.choices("ab", k=random.randrange(20)))
        stop = "".join(random.choices("ab", k=random.randrange(1, 5)))
        given, found, held = stopped(text, [stop], size=random.randrange(1, 5))
        assert found == (stop in text)
        assert given + held == text.partition(stop)[0]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_from_a_mark_on_stop_strings_mean_nothing(size: int) -> None:
    finder = StopFinder(["x", "<"], until="[call]")
    text = "one [call] two x <"
    given = "".join(finder.push(text[at : at + size]) for at in range(0, len(text), size))
    assert (given + finder.finish(), finder.stop) == (text, None)


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_a_stop_string_before_the_mark_ends_the_text(size: int) -> None:
    finder = StopFinder(["x", "["], until="[call]")
    text = "one [call] two x <"
    given = "".join(finder.push(text[at : at + size]) for at in range(0, len(text), size))
    assert (given, finder.finish(), finder.stop) == ("one ", "", "[")


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_a_mark_that_must_come_first_means_nothing_later(size: int) -> None:
    def read(text: str) -> tuple[str, str | None]:
        finder = StopFinder(["x"], until="[call]", until_first=True)
        given = "".join(finder.push(text[at : at + size]) for at in range(0, len(text), size))
        return given + finder.finish(), finder.stop

    assert read("[call] x") == ("[call] x", None)
    assert read("one [call] x") == ("one [call] ", "x")
    assert read("[ca[call] x") == ("[ca[call] ", "x")
    assert read("[ca") == ("[ca", None)


def test_a_mark_counts_where_stop_strings_do_not_yet() -> None:
    finder = StopFinder(["x"], until="[call]")
    given = finder.push("x [ca", counts=False) + finder.push("ll] x")
    assert (given, finder.stop) == ("x [call] x", None)
