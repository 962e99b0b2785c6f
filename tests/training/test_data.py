import pytest

from training import data
from training.data import Chat

GOOD = "A river is a long line of water. It flows down to the sea."


def reply_after_tidy(reply: str) -> str:
    return data.tidy(Chat("What is a river?", reply)).assistant


def test_reply_ends_before_the_sentence_that_repeats_an_earlier_one() -> None:
    assert reply_after_tidy(f"{GOOD} It flows down to the sea. Fish swim.") == GOOD


def test_reply_ends_at_its_last_whole_sentence() -> None:
    assert reply_after_tidy(f"{GOOD} Then it turns") == GOOD


def test_reply_never_ends_inside_a_quotation() -> None:
    assert reply_after_tidy(f'{GOOD} "Hello. I am a fish.') == GOOD


def test_typography_becomes_plain() -> None:
    assert reply_after_tidy("It\u2019s a \u201ccaf\u00e9\u201d.") == 'It\'s a "cafe".'


@pytest.mark.parametrize(
    ("rule", "reply"),
    [
        (data.is_foreign, "Реки текут in the valley."),
        (data.is_badly_sized, "Water."),
        (data.is_badly_sized, "water " * (data.MAX_WORDS + 1)),
        (data.is_cut_off, "A river is"),
        (data.is_cut_off, 'She said, "A river.'),
        (data.is_broken, "A **river** is water."),
        (data.is_broken, "A river is wide and wide."),
        (data.is_broken, "As an AI, I do not swim in a river."),
        (data.is_repetitive, "One river, two river, my river, the river, a river."),
        (data.is_repetitive, "We go to the sea and we go to the sea as we go to the sea."),
    ],
)
def test_rule_finds_what_its_name_says_and_spares_a_good_reply(rule: data.Rule, reply: str) -> None:
    assert rule(Chat("What is a river?", reply))
    assert not rule(Chat("What is a river?", GOOD))


def test_reply_must_name_what_the_question_names() -> None:
    question = "Tell me a short story about a fox."
    assert data.misses_the_question(Chat(question, "A whale swam home."))
    assert not data.misses_the_question(Chat(question, "Fox and hen ran home."))


def test_small_talk_may_answer_without_repeating_the_words() -> None:
    assert not data.misses_the_question(Chat("I am tired.", "Take a good rest."))


def test_clean_counts_what_it_drops_and_keeps_one_of_two_equal_chats() -> None:
    good, bad = Chat("What is a river?", GOOD), Chat("What is a river?", "Water.")
    kept, dropped = data.clean([good, bad, good])
    assert kept == [good]
    assert dropped == {"is_badly_sized": 1, "is_double": 1}


def test_no_question_is_both_trained_on_and_held_out() -> None:
    kept, _ = data.clean(data.read()[:1500])
    train, held_out = data.split(kept)
    assert len(train) + len(held_out) == len(kept)
    assert held_out
    assert not {chat.user for chat in train} & {chat.user for chat in held_out}
