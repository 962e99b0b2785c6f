"""A small server of another make: what it serves, accepts and answers is up to the test."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

COMPLETION_LINES = (
    ": a comment",
    'data: {"choices": [{"text": ""}]}',
    'data: {"choices": [{"text": "one"}]}',
    'data: {"choices": [{"text": "two", "finish_reason": null}]}',
    'data: {"choices": [{"text": "", "finish_reason": "stop"}]}',
    "data: [DONE]",
)
CHAT_LINES = (
    'data: {"choices": [{"delta": {"role": "assistant", "content": ""}}]}',
    'data: {"choices": [{"delta": {"reasoning_content": "hm"}}]}',
    'data: {"choices": [{"delta": {"content": "yes"}}]}',
    'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}',
    "data: [DONE]",
)


@dataclass
class Peer:
    """Answers every stream with ``lines``; ``statuses`` are used up before, one a stream.

    ``bodies`` has all streams asked for, and ``log``, which several peers may share, who was asked.
    """

    name: str = "peer"
    path: str = "/v1/completions"
    lines: Sequence[str] = COMPLETION_LINES
    refused: Sequence[str] = ()
    tokens_per_word: int | None = None
    statuses: list[int] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    def app(self) -> FastAPI:
        """Return it as an app."""
        app = FastAPI()
        app.add_api_route("/v1/models", self._models)
        app.add_api_route(self.path, self._answer, methods=["POST"], response_model=None)
        return app

    async def _models(self) -> dict[str, Any]:
        return {"data": [{"id": f"{self.name}-model"}, {"id": "other"}]}

    async def _answer(self, request: Request) -> Response:
        body = await request.json()
        if not body.get("stream"):
            return JSONResponse({"choices": []} | self._usage(body))
        if any(name in body for name in self.refused):
            return JSONResponse({"error": {"message": "unknown field"}}, 400)
        self.bodies.append(body)
        self.log.append(self.name)
        if self.statuses and (status := self.statuses.pop(0)) != 200:
            return JSONResponse({"error": {"message": "no"}}, status)
        return StreamingResponse(self._events(), media_type="text/event-stream")

    async def _events(self) -> AsyncIterator[str]:
        for line in self.lines:
            yield f"{line}\n\n"

    def _usage(self, body: dict[str, Any]) -> dict[str, Any]:
        if self.tokens_per_word is None:
            return {}
        tokens = 3 + self.tokens_per_word * len(body["prompt"].split())
        return {"usage": {"prompt_tokens": tokens, "completion_tokens": 1}}
