"""Clients with an ordinary day: chats that begin alike, some that leave, more of them at noon."""

import asyncio
import random
from collections.abc import Sequence
from time import monotonic

import httpx

SYSTEM = "You are a helpful assistant who tells short stories to children before they sleep. " * 2
SUBJECTS = ("a fox", "the sea", "an old clock", "two friends", "a red kite", "snow", "a lost key")


async def load(url: str, model: str, clients: Sequence[int], seconds: float) -> None:
    """Have so many clients for so long, one number after the other."""
    async with httpx.AsyncClient(base_url=url, timeout=300) as http:
        for number, count in enumerate(clients):
            end = monotonic() + seconds
            await asyncio.sleep(0.0 if count else seconds)
            await asyncio.gather(
                *(_client(http, model, end, random.Random(97 * number + i)) for i in range(count))
            )


async def _client(http: httpx.AsyncClient, model: str, end: float, chance: random.Random) -> None:
    while monotonic() < end:
        status = await _chat(http, model, chance)
        await asyncio.sleep(1.0 if status == 429 else chance.uniform(0.0, 0.3))


async def _chat(http: httpx.AsyncClient, model: str, chance: random.Random) -> int:
    body = {
        "model": model,
        "messages": [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": f"Tell me a story about {chance.choice(SUBJECTS)}."},
        ],
        "max_tokens": chance.choice((30, 80, 200)),
        "seed": chance.randrange(2**31),
        "stream": True,
    }
    leaves_after = chance.randrange(2, 20) if chance.random() < 0.1 else None
    async with http.stream("POST", "/v1/chat/completions", json=body) as answer:
        num_lines = 0
        async for _ in answer.aiter_lines():
            num_lines += 1
            if leaves_after and num_lines > leaves_after:
                break
        return answer.status_code
