"""What a response said, in one form for streams and for whole answers, so that they compare."""

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Choice:
    """One of ``n``: every token once, in order."""

    text: str = ""
    token_ids: list[int] = field(default_factory=list)
    finish_reason: str | None = None

    def add(self, choice: dict[str, Any]) -> None:
        """Take in a choice, or a chunk's part of one."""
        message = choice.get("message") or choice.get("delta") or {}
        self.text += choice.get("text") or message.get("content") or ""
        self.token_ids += choice.get("token_ids") or []
        self.finish_reason = choice.get("finish_reason") or self.finish_reason


Answer = dict[int, Choice]


def of_body(body: dict[str, Any]) -> Answer:
    """The choices of one JSON body, by index."""
    answer: Answer = {}
    for choice in body["choices"]:
        answer.setdefault(choice["index"], Choice()).add(choice)
    return answer


def of_stream(text: str) -> Answer:
    """The choices of a whole stream. Raises ValueError if it did not come to its end."""
    events = [line.removeprefix("data: ") for line in text.splitlines() if line[:6] == "data: "]
    if not events or events[-1] != "[DONE]":
        raise ValueError(f"the stream ends with {events[-1:]}")
    answer: Answer = {}
    for event in events[:-1]:
        for choice in json.loads(event)["choices"]:
            answer.setdefault(choice["index"], Choice()).add(choice)
    return answer
