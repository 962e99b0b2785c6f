"""A dialect is one object and one line in the registry; all else follows it."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, Response
from pydantic import BaseModel
from sse_starlette import ServerSentEvent

from sterna.server.dialects import registry
from sterna.server.dialects.dialect import event
from sterna.server.errors import ApiError
from sterna.server.generation.text_delta import TextDelta
from sterna.server.http.checked_body import checked
from sterna.server.http.responder import ResponderDep
from sterna.server.schemas.completions import CompletionRequest
from tests.server.scripted import ScriptedModel, ids_of

BODY = {"model": "scripted", "prompt": "Once"}


class Oops(BaseModel):
    oops: str


class ToyDialect:
    """Errors of one word; events that are counted, as those of a stream that can be resumed."""

    prefix = "/toy"
    error_schema = Oops

    def error_body(self, error: ApiError, request_id: str | None) -> bytes:
        return json.dumps({"oops": error.code or error.type}).encode()

    def headers(self, request_id: str) -> Mapping[str, str]:
        return {"x-toy": request_id}

    def events(self, request_id: str | None) -> "ToyEvents":
        return ToyEvents()


class ToyEvents:
    def __init__(self) -> None:
        self._num_events = 0

    def chunk(self, chunk: BaseModel) -> ServerSentEvent:
        self._num_events += 1
        return event(chunk.model_dump_json(), f"toy-{self._num_events}")

    def error(self, error: ApiError) -> ServerSentEvent:
        return event(TOY.error_body(error, None).decode(), "toy-oops")

    def end(self) -> ServerSentEvent:
        return event("", "toy-end")

    def ping(self) -> ServerSentEvent:
        return event("", "toy-ping")


TOY = ToyDialect()


class Words(BaseModel):
    words: str


class ToyAnswer:
    def whole(self, texts: Sequence[TextDelta]) -> Words:
        return Words(words=" | ".join(text.text for text in texts))

    def chunks(self, delta: TextDelta) -> Iterator[Words]:
        if delta.text:
            yield Words(words=delta.text)

    def last_chunks(self) -> Iterator[Words]:
        yield Words(words="bye")


async def toy(
    body: Annotated[CompletionRequest, checked(CompletionRequest)],
    responder: ResponderDep,
) -> Response:
    model = responder.admit(body.model, body.num_choices)
    job = await model.encoder.completion_job(body)
    return await responder.respond(job, ToyAnswer(), stream=body.stream)


@pytest.fixture
async def client(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setattr(registry, "DIALECTS", (*registry.DIALECTS, TOY))
    app.add_api_route("/toy/words", toy, methods=["POST"], response_model=Words)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://sterna") as client,
    ):
        yield client


async def test_an_answer_comes_whole(client: httpx.AsyncClient) -> None:
    response = await client.post("/toy/words", json=BODY)
    assert response.json() == {"words": "Hello there!"}
    assert response.headers["x-toy"] == response.headers["x-request-id"]


async def test_or_as_events_of_its_form(client: httpx.AsyncClient) -> None:
    response = await client.post("/toy/words", json=BODY | {"stream": True})
    *events, end, rest = response.text.split("\n\n")
    assert rest == ""
    assert end == "event: toy-end\ndata: "
    names, chunks = zip(*(text.split("\n") for text in events), strict=True)
    assert list(names) == [f"event: toy-{number}" for number in range(1, len(names) + 1)]
    words = [json.loads(chunk.removeprefix("data: "))["words"] for chunk in chunks]
    assert "".join(words) == "Hello there!bye"


async def test_a_failure_ends_a_stream_in_its_form(
    client: httpx.AsyncClient, model: ScriptedModel
) -> None:
    model.reply = lambda prompt, params: [*ids_of("a"), -1]
    response = await client.post("/toy/words", json=BODY | {"stream": True})
    assert response.text.endswith('event: toy-oops\ndata: {"oops": "generation_failed"}\n\n')


@pytest.mark.parametrize(
    ("path", "body", "status", "oops"),
    [
        ("/toy/words", BODY | {"model": "other"}, 404, "model_not_found"),
        ("/toy/words", {"bogus": 1}, 400, "invalid_request_error"),
        ("/toy/words", BODY | {"max_tokens": 10_000}, 400, "context_length_exceeded"),
        ("/toy/nothing", BODY, 404, "invalid_request_error"),
    ],
)
async def test_errors_have_its_form_wherever_they_come_from(
    client: httpx.AsyncClient, path: str, body: object, status: int, oops: str
) -> None:
    response = await client.post(path, json=body)
    assert response.status_code == status
    assert response.json() == {"oops": oops}
    assert "x-toy" in response.headers


async def test_what_nobody_caught_has_its_form_too(client: httpx.AsyncClient, app: FastAPI) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    app.add_api_route("/toy/fail", fail)
    response = await client.get("/toy/fail")
    assert (response.status_code, response.json()) == (500, {"oops": "internal_error"})


async def test_the_document_shows_its_errors(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    responses = document["paths"]["/toy/words"]["post"]["responses"]
    schemas = {
        status: response["content"]["application/json"]["schema"]
        for status, response in responses.items()
        if status != "200"
    }
    assert set(schemas) >= {"400", "404", "408", "500"}
    assert all(schema == {"$ref": "#/components/schemas/Oops"} for schema in schemas.values())
    assert "text/event-stream" in responses["200"]["content"]
    assert "oops" in document["components"]["schemas"]["Oops"]["properties"]


async def test_other_paths_speak_as_before(client: httpx.AsyncClient) -> None:
    for path in ("/v1/completions", "/to", "/nothing"):
        response = await client.post(path, json={})
        assert set(response.json()) == {"error"}
        assert "x-toy" not in response.headers


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/messages", "AnthropicDialect"),
        ("/v1/messages/count_tokens", "AnthropicDialect"),
        ("/v1/chat/completions", "OpenAIDialect"),
        ("/", "OpenAIDialect"),
        ("", "OpenAIDialect"),
    ],
)
def test_the_longest_prefix_says_which_dialect_a_path_speaks(path: str, name: str) -> None:
    assert type(registry.dialect_of(path)).__name__ == name
