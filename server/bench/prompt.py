"""Prompts of about a given number of tokens, each with a different beginning.

So a prefix cache finds nothing to reuse.
"""

from itertools import count
from random import Random
from typing import Final

import httpx

from sterna.server.bench.endpoint import Endpoint

# Four letters each: usually one token, or five, with the space, where every byte is a token.
_WORDS: Final = [
    "able",
    "area",
    "away",
    "back",
    "bank",
    "base",
    "best",
    "bird",
    "blue",
    "boat",
    "body",
    "book",
    "call",
    "city",
    "cold",
    "come",
    "cost",
    "dark",
    "door",
    "down",
    "east",
    "easy",
    "face",
    "fact",
    "fall",
    "farm",
    "film",
    "fire",
    "fish",
    "food",
    "foot",
    "form",
    "free",
    "game",
    "girl",
    "give",
    "gold",
    "good",
    "hair",
    "half",
    "hand",
    "head",
    "high",
    "hill",
    "home",
    "hour",
    "idea",
    "kind",
    "lake",
    "land",
    "late",
    "life",
    "line",
    "long",
    "lord",
    "love",
    "main",
    "mind",
    "moon",
    "move",
    "name",
    "near",
    "news",
    "noon",
    "note",
    "open",
    "page",
    "part",
    "past",
    "plan",
    "play",
    "rain",
    "read",
    "rest",
    "rich",
    "ring",
    "rise",
    "road",
    "rock",
    "room",
    "rule",
    "safe",
    "sand",
    "seat",
    "seed",
    "ship",
    "shop",
    "show",
    "side",
    "snow",
    "song",
    "star",
    "step",
    "tall",
    "time",
    "town",
    "tree",
    "turn",
    "wait",
    "walk",
    "wall",
    "warm",
    "week",
    "west",
    "wide",
    "wind",
    "wish",
    "wood",
    "word",
    "work",
    "yard",
    "year",
]
_TRIES: Final = 3
_FIRST_NUMBERS: Final = (100_000, 900_000)  # six digits each, so equally many tokens


class PromptWriter:
    """Writes prompts of ``num_words`` words: a number that never repeats, then random words."""

    def __init__(self, num_words: int = 1, random: Random | None = None) -> None:
        self.num_words = num_words
        self._random = random or Random()
        self._numbers = count(self._random.randrange(*_FIRST_NUMBERS))

    def write(self) -> str:
        """Return the next prompt."""
        words = self._random.choices(_WORDS, k=self.num_words - 1)
        return " ".join([str(next(self._numbers)), *words])

    async def calibrate(
        self, client: httpx.AsyncClient, endpoint: Endpoint, num_tokens: int
    ) -> int | None:
        """Choose the number of words so that a prompt has about ``num_tokens`` tokens.

        Returns how many tokens the server counts in such a prompt. Returns None if the server does
        not report it; then a word is assumed to be a token.
        """
        self.num_words = 1
        shortest = await self._count_tokens(client, endpoint)
        self.num_words = 2 + num_tokens // 5
        longer = await self._count_tokens(client, endpoint)
        if shortest is None or longer is None or longer <= shortest:
            self.num_words = max(1, num_tokens)
            return None
        tokens_per_word = (longer - shortest) / (self.num_words - 1)
        self.num_words = max(1, 1 + round((num_tokens - shortest) / tokens_per_word))
        return await self._count_tokens(client, endpoint)

    async def _count_tokens(self, client: httpx.AsyncClient, endpoint: Endpoint) -> int | None:
        for _ in range(_TRIES):
            try:
                response = await client.post(endpoint.url, json=endpoint.body(self.write(), 1))
                return int(response.raise_for_status().json()["usage"]["prompt_tokens"])
            except httpx.TransportError:  # some servers close a kept-alive connection
                continue
            except (httpx.HTTPError, ValueError, TypeError, LookupError):
                return None
        return None
