"""What the answers of both generation endpoints share: their head, and how tokens are counted."""

from time import time
from typing import Annotated, Literal, TypedDict
from uuid import uuid4

from pydantic import BaseModel, Field


class PromptTokensDetails(BaseModel):
    """Where prompt tokens came from."""

    cached_tokens: int


class Usage(BaseModel):
    """Token counts of a whole response. Each prompt counts once, also if ``n`` is more."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails


# A chunk without usage does not name the field at all.
OptionalUsage = Annotated[Usage | None, Field(exclude_if=lambda usage: usage is None)]
EndReason = Literal["stop", "length"]


class ResponseHead(TypedDict):
    """What all events of a stream have in common."""

    id: str
    created: int  # Unix time, seconds
    model: str


def new_head(prefix: str, model: str) -> ResponseHead:
    """A head with a new id, such as ``chatcmpl-...``."""
    return {"id": f"{prefix}-{uuid4().hex}", "created": int(time()), "model": model}
