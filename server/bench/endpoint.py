"""An OpenAI-compatible server as a client addresses it: where to post, and what it accepts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

COMPLETIONS: Final = "/v1/completions"
CHAT_COMPLETIONS: Final = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path of one server. ``extras`` are the fields that not every server accepts."""

    base_url: str  # without /v1
    path: str
    model: str
    extras: Mapping[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where to post."""
        return self.base_url + self.path

    def body(self, prompt: str, max_tokens: int) -> dict[str, Any]:
        """Ask for one answer in one piece: greedy, so that servers do the same work."""
        return {
            "model": self.model,
            "max_tokens": max_tokens,
            "temperature": 0,
            **self._prompt(prompt),
        }

    def stream_body(self, prompt: str, max_tokens: int) -> dict[str, Any]:
        """Ask for one answer as a stream."""
        return self.body(prompt, max_tokens) | {"stream": True, **self.extras}

    def _prompt(self, prompt: str) -> dict[str, Any]:
        if self.path == COMPLETIONS:
            return {"prompt": prompt}
        return {"messages": [{"role": "user", "content": prompt}]}


def base_of(url: str) -> str:
    """Return the address without the ``/v1`` that clients of OpenAI are configured with."""
    return url.rstrip("/").removesuffix("/v1")
