"""JSON types of errors, in OpenAI's and in Anthropic's form."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field


class ErrorFields(BaseModel):
    """OpenAI's error object. ``param`` is the path of the field, such as ``messages[0].role``."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """The body of an error."""

    error: ErrorFields


OptionalDetails = Annotated[dict[str, Any] | None, Field(exclude_if=lambda value: value is None)]


class MessagesErrorFields(BaseModel):
    """Anthropic's error object."""

    message: str
    type: str
    details: OptionalDetails = None  # by which a client knows what to do without


class MessagesErrorBody(BaseModel):
    """The body of an error of ``/v1/messages``."""

    type: Literal["error"]
    error: MessagesErrorFields
    request_id: str | None
