"""``/v1/messages``: chat in Anthropic's format, and counting the tokens of a prompt."""

from typing import Annotated

from fastapi import APIRouter, Response

from sterna.server.answers.messages import MessagesAnswer
from sterna.server.http.checked_body import beside_others, checked
from sterna.server.http.dependencies import ReservationDep
from sterna.server.http.responder import ResponderDep
from sterna.server.schemas.message_events import MessageAnswer, TokensCount
from sterna.server.schemas.messages import CountTokensRequest, MessagesRequest
from sterna.server.schemas.messages_as_chat import chat_prompt, chat_request

router = APIRouter(prefix="/v1/messages", tags=["messages"])


@router.post("", response_model=MessageAnswer)
async def create_message(
    body: Annotated[MessagesRequest, checked(MessagesRequest)],
    reservation: ReservationDep,
    responder: ResponderDep,
) -> Response:
    """Return one answer, as a stream of events or as a whole."""
    model = responder.admit(body.model)
    chat = await beside_others(reservation.num_bytes, chat_request, body)
    job = await model.encoder.chat_job(chat)
    return await responder.respond(job, MessagesAnswer(body.model, job), stream=body.stream)


@router.post("/count_tokens")
async def count_tokens(
    body: Annotated[CountTokensRequest, checked(CountTokensRequest)],
    reservation: ReservationDep,
    responder: ResponderDep,
) -> TokensCount:
    """Count the prompt tokens of the same request to ``/v1/messages``."""
    model = responder.admit(body.model)  # to read a prompt is work, too
    chat = await beside_others(reservation.num_bytes, chat_prompt, body)
    prompt = await model.encoder.encode_chat(chat)
    return TokensCount(input_tokens=len(prompt))
