"""Types shared by the answers of both generation endpoints: their head and token counts."""

from time import time
from typing import Annotated, Literal, TypedDict
from uuid import uuid4

from pydantic import BaseModel, Field

from sterna.server.schemas.logprobs import PromptLogprobs


class PromptTokensDetails(BaseModel):
    """How many prompt tokens came from the cache."""

    cached_tokens: int


# What was not asked for is not named at all.
OMITTED = Field(exclude_if=lambda value: value is None)


class EnergyUsage(BaseModel):
    """A response's share of the measured energy; null if nothing is measured, see detail."""

    joules: float | None
    source: str | None
    detail: str  # what was read, or why nothing was


class Usage(BaseModel):
    """Token counts of a whole response. Each prompt counts once, even if ``n`` is larger."""

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
    """Fields that all events of a stream share."""

    id: str
    created: int  # Unix time, seconds
    model: str


def new_head(prefix: str, model: str) -> ResponseHead:
    """Return a head with a new id, such as ``chatcmpl-...``."""
    return {"id": f"{prefix}-{uuid4().hex}", "created": int(time()), "model": model}
