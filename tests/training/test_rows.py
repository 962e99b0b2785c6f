from itertools import islice

import pytest
import torch

from training import tokenizer
from training.data import Chat
from training.rows import IGNORED, Encoder, batches, pack, padded

CHATS = [Chat(f"What is {i}?", f"{i} is a number. It comes after {i - 1}.") for i in range(40)]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(tokenizer.learn(CHATS, 400))


def test_target_is_the_next_id_of_the_row_or_ignored(encoder: Encoder) -> None:
    for ids, targets in pack([encoder.encode(c) for c in CHATS], encoder, 64, seed=0):
        assert len(ids) == len(targets) == 64
        following = zip(ids[1:], targets[:-1], strict=True)
        assert all(target in (IGNORED, next_id) for next_id, target in following)


def test_only_replies_and_their_end_have_targets(encoder: Encoder) -> None:
    chats = [encoder.encode(c) for c in CHATS]
    replies = {i for chat in chats for i in chat.reply}
    for ids, targets in pack(chats, encoder, 64, seed=0):
        assert ids[0] == encoder.bos[0]
        assert {t for t in targets if t != IGNORED} <= replies
        assert targets[0] == IGNORED


def test_resumed_feed_gives_the_batches_that_would_have_come(encoder: Encoder) -> None:
    chats = [encoder.encode(c) for c in CHATS]
    whole = list(islice(batches(chats, encoder, (2, 64), seed=3, first=0), 40))
    resumed = list(islice(batches(chats, encoder, (2, 64), seed=3, first=25), 15))
    for (ids, targets), (again_ids, again_targets) in zip(whole[25:], resumed, strict=True):
        assert torch.equal(ids, again_ids)
        assert torch.equal(targets, again_targets)


def test_padded_measures_every_reply_token_once(encoder: Encoder) -> None:
    chats = [encoder.encode(c) for c in CHATS]
    wanted = sorted(token for chat in chats for token in chat.reply)
    got = [t for _, targets in padded(chats, encoder, 7) for t in targets.flatten().tolist()]
    assert sorted(t for t in got if t != IGNORED) == wanted
