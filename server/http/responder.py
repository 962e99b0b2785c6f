"""Admits and answers generation requests of every API."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Final

from fastapi import Depends, Request, Response
from pydantic import BaseModel

from sterna.server.answers.answer import Answer
from sterna.server.dialects.registry import dialect_of
from sterna.server.generation.job import GenerationJob
from sterna.server.generation.request_record import current_record
from sterna.server.generation.text_delta import collect
from sterna.server.http.admission import Reservation
from sterna.server.http.dependencies import ReservationDep, Services, ServicesDep
from sterna.server.http.disconnect import until_disconnect
from sterna.server.http.sse import event_stream
from sterna.server.served_model import ServedModel

UNENFORCED_HEADER: Final = "x-sterna-unenforced"
MAX_HEADER_CHARACTERS: Final = 2000  # proxies take 4 kB, or 8


class Responder:
    """Serves one request: ``admit`` it, create its job, ``respond``."""

    def __init__(self, request: Request, services: Services, reservation: Reservation) -> None:
        self._request = request
        self._services = services
        self._reservation = reservation

    def admit(self, name: str | None, num_sequences: int = 1) -> ServedModel:
        """Find the model and take places in the queue. name: None for the one that is served.

        Raises ModelNotFoundError, BusyError, InvalidRequestError.
        """
        model = self._services.model if name is None else self._services.find_model(name)
        if record := current_record.get():
            record.model = name or model.name
        self._reservation.take(num_sequences)
        return model

    async def respond(self, job: GenerationJob, answer: Answer, *, stream: bool | None) -> Response:
        """Run the job and send its answer, as a stream or as a whole."""
        response = await self._response(job, answer, stream=bool(stream))
        if job.unenforced:
            response.headers[UNENFORCED_HEADER] = job.unenforced[:MAX_HEADER_CHARACTERS]
        return response

    async def _response(self, job: GenerationJob, answer: Answer, *, stream: bool) -> Response:
        if stream:
            return self._stream(self._chunks(job, answer))
        body = await until_disconnect(self._request, self._whole(job, answer))
        return Response(body.model_dump_json(), media_type="application/json")

    def _stream(self, chunks: AsyncGenerator[BaseModel]) -> Response:
        form = dialect_of(self._request.scope["path"]).events(self._request.state.request_id)
        settings = self._services.settings
        return event_stream(chunks, form, settings.ping_seconds, settings.send_timeout_seconds)

    async def _whole(self, job: GenerationJob, answer: Answer) -> BaseModel:
        return answer.whole(await collect(self._services.generator.stream(job)))

    async def _chunks(self, job: GenerationJob, answer: Answer) -> AsyncGenerator[BaseModel]:
        async with aclosing(self._services.generator.stream(job)) as deltas:
            async for delta in deltas:
                for chunk in answer.chunks(delta):
                    yield chunk
        for chunk in answer.last_chunks():
            yield chunk


async def _responder(
    request: Request, services: ServicesDep, reservation: ReservationDep
) -> Responder:
    return Responder(request, services, reservation)


ResponderDep = Annotated[Responder, Depends(_responder)]
