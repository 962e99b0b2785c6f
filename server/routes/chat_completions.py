"""``POST /v1/chat/completions``: the model's next turn in a conversation."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

from fastapi import APIRouter, Request, Response

from server.dependencies import ReservationDep, Services, ServicesDep
from server.disconnect import until_disconnect
from server.generation import GenerationJob
from server.schemas.answer import new_head
from server.schemas.chat_completions import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionRequest,
    Choice,
    ChunkChoice,
    ContentDelta,
    ResponseMessage,
    RoleDelta,
)
from server.text_delta import TextDelta, collect
from server.usage import UsageCounter

router = APIRouter(tags=["chat"])


@router.post("/v1/chat/completions", response_model=ChatCompletion)
async def create_chat_completion(
    body: ChatCompletionRequest,
    request: Request,
    services: ServicesDep,
    reservation: ReservationDep,
) -> Response:
    """One answer or several, as a stream of chunks or in one piece."""
    services.check_model(body.model)
    reservation.take(body.num_choices)
    job = await services.encoder.chat_job(body)
    if body.stream:
        return services.event_stream(_chunks(services, body, job))
    answer = await until_disconnect(request, _completion(services, body, job))
    return Response(answer.model_dump_json(), media_type="application/json")


async def _completion(
    services: Services, body: ChatCompletionRequest, job: GenerationJob
) -> ChatCompletion:
    usage = UsageCounter(job)
    choices = []
    for answer in await collect(services.generator.stream(job)):
        usage.add(answer)
        assert answer.finish_reason, "a stream ends only when all its sequences have"
        message = ResponseMessage(content=answer.text)
        choices.append(
            Choice(index=answer.index, message=message, finish_reason=answer.finish_reason)
        )
    return ChatCompletion(**new_head("chatcmpl", body.model), choices=choices, usage=usage.usage())


async def _chunks(
    services: Services, body: ChatCompletionRequest, job: GenerationJob
) -> AsyncGenerator[ChatCompletionChunk]:
    """Of each answer first the role, then the text; last the usage, if it was asked for."""
    head, usage = new_head("chatcmpl", body.model), UsageCounter(job)
    begun: set[int] = set()
    async with aclosing(services.generator.stream(job)) as deltas:
        async for delta in deltas:
            usage.add(delta)
            for choice in _choices(delta, is_first=delta.index not in begun):
                yield ChatCompletionChunk(**head, choices=[choice])
            begun.add(delta.index)
    if body.include_usage:
        yield ChatCompletionChunk(**head, choices=[], usage=usage.usage())


def _choices(delta: TextDelta, *, is_first: bool) -> Iterator[ChunkChoice]:
    if is_first:
        yield ChunkChoice(index=delta.index, delta=RoleDelta())
    if delta.text or delta.finish_reason:
        content = ContentDelta(content=delta.text)
        yield ChunkChoice(index=delta.index, delta=content, finish_reason=delta.finish_reason)
