"""JSON types of errors, in OpenAI's and in Anthropic's form."""

from typing import Literal

from pydantic import BaseModel


class ErrorFields(BaseModel):
    """OpenAI's error object. ``param`` is the path of the field, such as ``messages[0].role``."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """The body of an error."""

    error: ErrorFields


class MessagesErrorFields(BaseModel):
    """Anthropic's error object."""

    message: str
    type: str


class MessagesErrorBody(BaseModel):
    """The body of an error of ``/v1/messages``."""

    type: Literal["error"]
    error: MessagesErrorFields
    request_id: str | None
