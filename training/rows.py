"""Chats as rows of token ids to train on, and as padded batches to measure on."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from training.data import Chat
from training.tokenizer import ASSISTANT, BOS, END, SYSTEM, USER, id_of

IGNORED = -100  # target of a position that has no part in the loss
SYSTEM_PERCENT = 15  # conversations that open with a system message
SYSTEM_MESSAGES = (
    "You are a friendly assistant. Reply in two to five short, simple sentences.",
    "You are a helpful assistant.",
    "You are a kind and friendly assistant.",
    "Be brief.",
)


@dataclass(frozen=True)
class Encoded:
    """One chat in token ids: ``prompt`` up to and with <|assistant|>, ``reply`` with <|end|>."""

    prompt: list[int]
    reply: list[int]


class Encoder:
    """Turns chats into token ids, as the chat template would."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.bos = [id_of(tokenizer, BOS)]
        self.end = id_of(tokenizer, END)
        self.systems = [self._ids(f"{SYSTEM}{message}{END}") for message in SYSTEM_MESSAGES]

    def encode(self, chat: Chat) -> Encoded:
        """Encode one turn, without <|bos|>."""
        return Encoded(
            self._ids(f"{USER}{chat.user}{END}{ASSISTANT}"), self._ids(f"{chat.assistant}{END}")
        )

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids


def pack(
    chats: Sequence[Encoded], encoder: Encoder, length: int, seed: int
) -> Iterator[tuple[list[int], list[int]]]:
    """Yield rows (token ids, targets) of exactly ``length``, all chats in a new order.

    A row opens a conversation and is filled with chats; each next chat is a further turn of the
    conversation or, half of the time, opens a new one. What runs over the end of the row is cut:
    no padding is computed, and another order shows the rest in another epoch. Only replies have
    targets: the questions are filled templates, and learning to foresee the next one is waste.
    """
    rng = random.Random(seed)
    ids: list[int] = []
    targets: list[int] = []
    for chat in rng.sample(chats, len(chats)):
        opening: list[int] = []
        if not ids or rng.random() < 0.5:
            has_system = rng.random() * 100 < SYSTEM_PERCENT
            opening = encoder.bos + (rng.choice(encoder.systems) if has_system else [])
        prompt = opening + chat.prompt
        ids += prompt + chat.reply
        targets += [IGNORED] * len(prompt) + chat.reply
        if len(ids) > length:  # one more, since a target is the id that comes next
            yield ids[:length], targets[1 : length + 1]
            ids, targets = [], []


def batches(
    chats: Sequence[Encoded], encoder: Encoder, shape: tuple[int, int], seed: int, first: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches (token ids, targets) of ``shape`` for ever, from number ``first`` on.

    Batch n depends on ``seed`` and n only, so that a resumed run sees what it would have seen.
    """
    rows, length = shape
    epoch = count = 0
    batch: list[tuple[list[int], list[int]]] = []
    while True:
        for row in pack(chats, encoder, length, seed * 10_000 + epoch):
            batch.append(row)
            if len(batch) == rows:
                if count >= first:
                    ids, targets = zip(*batch, strict=True)
                    yield torch.tensor(ids), torch.tensor(targets)
                count += 1
                batch = []
        epoch += 1


def padded(
    chats: Sequence[Encoded], encoder: Encoder, rows: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield all chats, each a conversation of its own, ``rows`` at a time and of like length."""
    ordered = sorted(chats, key=lambda chat: len(chat.prompt) + len(chat.reply))
    for start in range(0, len(ordered), rows):
        part = ordered[start : start + rows]
        width = max(len(c.prompt) + len(c.reply) for c in part)
        ids = torch.zeros(len(part), width, dtype=torch.long)
        targets = torch.full((len(part), width), IGNORED)
        for i, chat in enumerate(part):
            prompt = encoder.bos + chat.prompt
            end = len(prompt) + len(chat.reply) - 1
            ids[i, :end] = torch.tensor(prompt + chat.reply[:-1])
            targets[i, len(prompt) - 1 : end] = torch.tensor(chat.reply)
        yield ids, targets
