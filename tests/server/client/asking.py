"""Requests of the tests in this folder, with what they leave open: greedy, to a limit."""

from typing import Any, Final

import httpx
import openai
from openai.types.chat import ChatCompletionMessageParam

from tests.server.scripted import LIMIT_SECONDS

NAMES: Final = ("tiny", "team/tiny")
MESSAGES: Final[list[ChatCompletionMessageParam]] = [
    {"role": "user", "content": "Tell me a story."}
]
PROMPT: Final = "Once upon a time"
LIMIT: Final = 20  # tokens
DEFAULTS: Final = {"model": NAMES[1], "temperature": 0, "max_tokens": LIMIT}


async def chat(client: openai.AsyncOpenAI, **fields: Any) -> Any:
    """A chat completion. ``extra``: fields that the client does not know."""
    asked: dict[str, Any] = DEFAULTS | {"messages": MESSAGES} | fields
    return await client.chat.completions.create(**_with_extra(asked))


async def complete(client: openai.AsyncOpenAI, **fields: Any) -> Any:
    """A completion, likewise."""
    asked: dict[str, Any] = DEFAULTS | {"prompt": PROMPT} | fields
    return await client.completions.create(**_with_extra(asked))


async def tokens_of(url: str, text: str) -> list[int]:
    """Ids of a prompt."""
    async with httpx.AsyncClient(base_url=url, timeout=LIMIT_SECONDS) as http:
        ids: list[int] = (await http.post("/tokenize", json={"prompt": text})).json()["tokens"]
        return ids


def _with_extra(fields: dict[str, Any]) -> dict[str, Any]:
    """A random model may end at once, so it must not."""
    return fields | {"extra_body": {"ignore_eos": True} | fields.pop("extra", {})}
