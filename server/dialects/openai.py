"""OpenAI's dialect, which every path speaks that belongs to no other."""

import json
from collections.abc import Mapping

from pydantic import BaseModel
from sse_starlette import ServerSentEvent

from sterna.server.dialects.dialect import event
from sterna.server.errors import ApiError
from sterna.server.schemas.error import ErrorBody


class OpenAIDialect:
    """Errors with four fields; events without names."""

    prefix = ""
    error_schema = ErrorBody

    def error_body(self, error: ApiError, request_id: str | None) -> bytes:
        """See ``Dialect``."""
        fields = {
            "message": error.message, "type": error.type, "param": error.param, "code": error.code
        }  # fmt: skip
        return json.dumps({"error": fields}).encode()

    def headers(self, request_id: str) -> Mapping[str, str]:
        """None."""
        return {}

    def events(self, request_id: str | None) -> "DataEvents":
        """See ``Dialect``."""
        return DataEvents()


class DataEvents:
    """Only ``data:``, at last ``[DONE]``. After an error there is no ``[DONE]``."""

    def chunk(self, chunk: BaseModel) -> ServerSentEvent:
        """One event."""
        return event(chunk.model_dump_json())

    def error(self, error: ApiError) -> ServerSentEvent:
        """The error's body."""
        return event(OPENAI.error_body(error, None).decode())

    def end(self) -> ServerSentEvent:
        """The mark of OpenAI."""
        return event("[DONE]")

    def ping(self) -> ServerSentEvent:
        """A comment."""
        return ServerSentEvent(comment="ping", sep="\n")


OPENAI = OpenAIDialect()
