"""How to reach an OpenAI-compatible server, and which fields it accepts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

COMPLETIONS: Final = "/v1/completions"
CHAT_COMPLETIONS: Final = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path of a server. ``extras`` are fields that not every server accepts."""

    base_url: str  # without /v1
    path: str
    model: str
    extras: Mapping[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """URL to post to."""
        return self.base_url + self.path

    def body(self, prompt: str, max_tokens: int) -> dict[str, Any]:
        """Return the body of a greedy request without streaming, the same work for every server."""
        return {
            "model": self.model,
            "max_tokens": max_tokens,
            "temperature": 0,
            **self._prompt(prompt),
        }

    def stream_body(self, prompt: str, max_tokens: int) -> dict[str, Any]:
        """Return the body of a streamed request."""
        return self.body(prompt, max_tokens) | {"stream": True, **self.extras}

    def _prompt(self, prompt: str) -> dict[str, Any]:
        if self.path == COMPLETIONS:
            return {"prompt": prompt}
        return {"messages": [{"role": "user", "content": prompt}]}


def base_of(url: str) -> str:
    """Return the URL without the ``/v1`` that OpenAI clients add."""
    return url.rstrip("/").removesuffix("/v1")
