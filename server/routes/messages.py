"""``/v1/messages``: chat completions in the form of Anthropic, and how long a prompt would be."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Request, Response

from sterna.server.answers.messages import MessageHead, MessageStream, new_head, whole_message
from sterna.server.generation.job import GenerationJob
from sterna.server.generation.text_delta import collect
from sterna.server.http.checked_body import beside_others, checked
from sterna.server.http.dependencies import ReservationDep, Services, ServicesDep
from sterna.server.http.disconnect import until_disconnect
from sterna.server.http.sse import NamedEvents
from sterna.server.schemas.message_events import Event, MessageAnswer, TokensCount
from sterna.server.schemas.messages import CountTokensRequest, MessagesRequest
from sterna.server.schemas.messages_as_chat import chat_prompt, chat_request
from sterna.server.tools.use import ToolUse

router = APIRouter(prefix="/v1/messages", tags=["messages"])


@router.post("", response_model=MessageAnswer)
async def create_message(
    body: Annotated[MessagesRequest, checked(MessagesRequest)],
    request: Request,
    services: ServicesDep,
    reservation: ReservationDep,
) -> Response:
    """One answer, as a stream of events or in one piece."""
    services.check_model(body.model)
    reservation.take(1)
    chat = await beside_others(reservation.num_bytes, chat_request, body)
    job, use, head = await services.encoder.chat_job(chat), chat.tool_use(), new_head(body.model)
    if body.stream:
        events = _events(services, job, MessageStream(head, job, use))
        return services.event_stream(events, NamedEvents(request.state.request_id))
    answer = await until_disconnect(request, _message(services, job, head, use))
    return Response(answer.model_dump_json(), media_type="application/json")


@router.post("/count_tokens")
async def count_tokens(
    body: Annotated[CountTokensRequest, checked(CountTokensRequest)],
    services: ServicesDep,
    reservation: ReservationDep,
) -> TokensCount:
    """Tokens of the prompt that the same body would give to ``/v1/messages``."""
    services.check_model(body.model)
    reservation.take(1)  # to read a prompt is work, too
    chat = await beside_others(reservation.num_bytes, chat_prompt, body)
    prompt = await services.encoder.encode_chat(chat)
    return TokensCount(input_tokens=len(prompt))


async def _message(
    services: Services, job: GenerationJob, head: MessageHead, use: ToolUse
) -> MessageAnswer:
    (answer,) = await collect(services.generator.stream(job))
    return whole_message(head, answer, job, use)


async def _events(
    services: Services, job: GenerationJob, stream: MessageStream
) -> AsyncGenerator[Event]:
    async with aclosing(services.generator.stream(job)) as deltas:
        async for delta in deltas:
            for event in stream.add(delta):
                yield event
