"""Wire types of errors, in OpenAI's shape and in Anthropic's."""

from typing import Literal

from pydantic import BaseModel


class ErrorFields(BaseModel):
    """OpenAI's error object. ``param``: the field that is wrong, as ``messages[0].role``."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """The body of every answer that is an error."""

    error: ErrorFields


class MessagesErrorFields(BaseModel):
    """Anthropic's error object."""

    message: str
    type: str


class MessagesErrorBody(BaseModel):
    """The body of every error of ``/v1/messages``."""

    type: Literal["error"]
    error: MessagesErrorFields
    request_id: str | None
