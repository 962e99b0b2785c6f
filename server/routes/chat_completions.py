"""``POST /v1/chat/completions``: the model's next turn in a conversation."""

from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Annotated, TypedDict

from fastapi import APIRouter, Request, Response

from sterna.server.answers.chat_completions import ChatAnswer
from sterna.server.answers.usage import UsageCounter
from sterna.server.generation.job import GenerationJob
from sterna.server.generation.text_delta import TextDelta, collect
from sterna.server.http.checked_body import checked
from sterna.server.http.dependencies import ReservationDep, Services, ServicesDep
from sterna.server.http.disconnect import until_disconnect
from sterna.server.schemas.answer import new_head
from sterna.server.schemas.chat_completions import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionRequest,
    Choice,
    ChunkChoice,
)
from sterna.server.schemas.logprobs import ChatLogprobs

router = APIRouter(tags=["chat"])


@router.post("/v1/chat/completions", response_model=ChatCompletion)
async def create_chat_completion(
    body: Annotated[ChatCompletionRequest, checked(ChatCompletionRequest)],
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
    answers = await collect(services.generator.stream(job))
    choices = []
    for answer in answers:
        usage.add(answer)
        reader = ChatAnswer(body.tool_use())
        message, reason = reader.message(answer), reader.end_reason(answer)
        assert reason, "a stream ends only when all its sequences have"
        details = _details(services, body, answer)
        choices.append(Choice(message=message, finish_reason=reason, **details))
    return ChatCompletion(
        **new_head("chatcmpl", body.model),
        choices=choices,
        usage=usage.usage(services.energy_usage(body, job)),
        prompt_logprobs=services.logprobs.prompt(answers[0], body.prompt_logprobs),
        prompt_token_ids=_prompt_token_ids(body, job),
    )


async def _chunks(
    services: Services, body: ChatCompletionRequest, job: GenerationJob
) -> AsyncGenerator[ChatCompletionChunk]:
    """Of each answer first the role, then text and calls; last the usage, if it was asked for."""
    head, usage = new_head("chatcmpl", body.model), UsageCounter(job)
    prompt_token_ids = _prompt_token_ids(body, job)
    use = body.tool_use()
    answers = defaultdict[int, ChatAnswer](lambda: ChatAnswer(use))
    async with aclosing(services.generator.stream(job)) as deltas:
        async for delta in deltas:
            usage.add(delta)
            counts = usage.usage() if body.continuous_usage else None
            for choice in _choices(services, body, delta, answers[delta.index]):
                yield ChatCompletionChunk(
                    **head, choices=[choice], usage=counts, prompt_token_ids=prompt_token_ids
                )
                prompt_token_ids = None  # in the first chunk only
    if body.include_usage:
        yield ChatCompletionChunk(
            **head, choices=[], usage=usage.usage(services.energy_usage(body, job))
        )


def _choices(
    services: Services, body: ChatCompletionRequest, delta: TextDelta, answer: ChatAnswer
) -> Iterator[ChunkChoice]:
    gained = answer.read(delta)
    yield from (ChunkChoice(index=delta.index, delta=gain) for gain in gained[:-1])
    for last in gained[-1:]:
        reason, details = answer.end_reason(delta), _details(services, body, delta)
        yield ChunkChoice(delta=last, finish_reason=reason, **details)


class _Details(TypedDict):
    """What a choice says of its tokens, streamed or whole."""

    index: int
    logprobs: ChatLogprobs | None
    stop_reason: str | int | None
    token_ids: list[int] | None


def _details(services: Services, body: ChatCompletionRequest, delta: TextDelta) -> _Details:
    return {
        "index": delta.index,
        "logprobs": services.logprobs.chat(delta.tokens) if body.logprobs else None,
        "stop_reason": delta.stop_reason,
        "token_ids": delta.token_ids if body.return_token_ids else None,
    }


def _prompt_token_ids(body: ChatCompletionRequest, job: GenerationJob) -> list[int] | None:
    return job.prompts[0] if body.return_token_ids else None
