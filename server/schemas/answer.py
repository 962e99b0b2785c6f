"""What the answers of both generation endpoints share: their head, and how tokens are counted."""

from time import time
from typing import Annotated, Literal, TypedDict
from uuid import uuid4

from pydantic import BaseModel, Field

from sterna.server.schemas.logprobs import PromptLogprobs


class PromptTokensDetails(BaseModel):
    """Where prompt tokens came from."""

    cached_tokens: int


# What was not asked for is not named at all.
OMITTED = Field(exclude_if=lambda value: value is None)


class EnergyUsage(BaseModel):
    """A response's share of the measured energy. Without a source there is none: see detail."""

    joules: float | None
    source: str | None
    detail: str  # what was read, or why nothing was


class Usage(BaseModel):
    """Token counts of a whole response. Each prompt counts once, also if ``n`` is more."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails
    energy: Annotated[EnergyUsage | None, OMITTED] = None


OptionalUsage = Annotated[Usage | None, OMITTED]
OptionalTokenIds = Annotated[list[int] | None, OMITTED]
OptionalPromptLogprobs = Annotated[PromptLogprobs | None, OMITTED]
StopReason = Annotated[str | int | None, OMITTED]  # the stop string or token, if it was one of ours
EndReason = Literal["stop", "length"]


class ResponseHead(TypedDict):
    """What all events of a stream have in common."""

    id: str
    created: int  # Unix time, seconds
    model: str


def new_head(prefix: str, model: str) -> ResponseHead:
    """A head with a new id, such as ``chatcmpl-...``."""
    return {"id": f"{prefix}-{uuid4().hex}", "created": int(time()), "model": model}
