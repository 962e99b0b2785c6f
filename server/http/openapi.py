"""Completes ``/openapi.json``: every status of every operation, streams, and the API key.

FastAPI documents what handlers return; the answers of middleware and error handlers are added.
"""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from sterna.server.dialects import registry
from sterna.server.http.auth import OPEN_PATHS

JSON = dict[str, Any]

EVERYWHERE = {
    431: "The headers are too many or too long",
    500: "Internal error; the server's log has the details",
    503: "The server is stopping, stalled or failed",
}
WITH_BODY = {
    400: "A field is invalid, unknown or not supported; param names it",
    404: "The model does not exist",
    413: "The body is too large",
    429: "The queue is full; Retry-After says when to try again",
}
GENERATING = {
    408: "The request exceeded the server's time limit",
}
WITH_KEYS = {401: "The API key is missing or wrong"}
_UNTRUE = "422"  # what FastAPI would answer where we answer 400
_REF = "#/components/schemas/{model}"


class DocumentedApp(FastAPI):
    """An app with the completed document, which is created at the first request for it."""

    has_keys = False

    def openapi(self) -> JSON:
        """Return the document. Creating it takes 0.1 s, which most servers never need."""
        if self.openapi_schema is None:
            _complete(super().openapi(), has_keys=self.has_keys)
        return super().openapi()


def _complete(document: JSON, *, has_keys: bool) -> None:
    """Add what FastAPI does not know to its document."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas |= _schemas()
    for path, operation in _operations(document):
        needs_key = has_keys and path not in OPEN_PATHS
        operation["responses"].pop(_UNTRUE, None)
        if _can_stream(operation, schemas):
            operation["responses"]["200"]["content"]["text/event-stream"] = {}
        reference = _REF.format(model=registry.dialect_of(path).error_schema.__name__)
        content = {"application/json": {"schema": {"$ref": reference}}}
        for status, description in _errors(operation, schemas, needs_key=needs_key).items():
            operation["responses"][str(status)] = {"description": description, "content": content}
        if needs_key:
            operation["security"] = [{"bearer": []}, {"header": []}]
    if has_keys:
        document["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
        }


def _operations(document: JSON) -> Iterator[tuple[str, JSON]]:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            yield path, operation


def _errors(operation: JSON, schemas: JSON, *, needs_key: bool) -> dict[int, str]:
    errors = dict(EVERYWHERE)
    if "requestBody" in operation:
        errors |= WITH_BODY
    if "parameters" in operation:
        errors |= {404: WITH_BODY[404]}
    if _can_stream(operation, schemas):
        errors |= GENERATING
    return errors | WITH_KEYS if needs_key else errors


def _can_stream(operation: JSON, schemas: JSON) -> bool:
    """Return whether the operation can stream, that is, whether its body has a field ``stream``."""
    content = operation.get("requestBody", {}).get("content", {})
    name = content.get("application/json", {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
    return "stream" in schemas.get(name, {}).get("properties", {})


def _schemas() -> JSON:
    schemas: JSON = {}
    for body in (dialect.error_schema for dialect in registry.DIALECTS):
        schema = body.model_json_schema(ref_template=_REF)
        schemas |= {**schema.pop("$defs", {}), body.__name__: schema}
    return schemas
