"""``POST /v1/completions``: how one or several prompts go on."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Request, Response

from sterna.server.answers.completions import CompletionWriter
from sterna.server.answers.usage import UsageCounter
from sterna.server.generation.job import GenerationJob
from sterna.server.generation.text_delta import collect
from sterna.server.http.checked_body import checked
from sterna.server.http.dependencies import ReservationDep, Services, ServicesDep
from sterna.server.http.disconnect import until_disconnect
from sterna.server.schemas.answer import new_head
from sterna.server.schemas.completions import Completion, CompletionRequest

router = APIRouter(tags=["completions"])


@router.post("/v1/completions", response_model=Completion)
async def create_completion(
    body: Annotated[CompletionRequest, checked(CompletionRequest)],
    request: Request,
    services: ServicesDep,
    reservation: ReservationDep,
) -> Response:
    """One answer or several to each prompt, as a stream of chunks or in one piece."""
    services.check_model(body.model)
    reservation.take(len(body.prompt) * body.num_choices)
    job = await services.encoder.completion_job(body)
    if body.stream:
        return services.event_stream(_chunks(services, body, job))
    answer = await until_disconnect(request, _completion(services, body, job))
    return Response(answer.model_dump_json(), media_type="application/json")


async def _completion(
    services: Services, body: CompletionRequest, job: GenerationJob
) -> Completion:
    usage, writer = UsageCounter(job), CompletionWriter(body, job, services.logprobs)
    answers = await collect(services.generator.stream(job))
    for answer in answers:
        usage.add(answer)
    choices = [writer.choice(answer) for answer in answers]
    return Completion(
        **new_head("cmpl", body.model),
        choices=choices,
        usage=usage.usage(services.energy_usage(body, job)),
    )


async def _chunks(
    services: Services, body: CompletionRequest, job: GenerationJob
) -> AsyncGenerator[Completion]:
    """The text of each answer as it comes; last the usage, if it was asked for."""
    head, usage = new_head("cmpl", body.model), UsageCounter(job)
    writer = CompletionWriter(body, job, services.logprobs)
    async with aclosing(services.generator.stream(job)) as deltas:
        async for delta in deltas:
            usage.add(delta)
            if not delta.is_empty:
                counts = usage.usage() if body.continuous_usage else None
                yield Completion(**head, choices=[writer.choice(delta)], usage=counts)
    if body.include_usage:
        yield Completion(**head, choices=[], usage=usage.usage(services.energy_usage(body, job)))
