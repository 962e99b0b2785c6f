"""``POST /v1/chat/completions``: the model's next turn in a conversation."""

from typing import Annotated

from fastapi import APIRouter, Response

from sterna.server.answers.chat_completions import ChatAnswer
from sterna.server.http.checked_body import checked
from sterna.server.http.responder import ResponderDep
from sterna.server.schemas.chat_completions import ChatCompletion, ChatCompletionRequest

router = APIRouter(tags=["chat"])


@router.post("/v1/chat/completions", response_model=ChatCompletion)
async def create_chat_completion(
    body: Annotated[ChatCompletionRequest, checked(ChatCompletionRequest)],
    responder: ResponderDep,
) -> Response:
    """Return one or several answers, as a stream of chunks or as a whole."""
    model = responder.admit(body.model, body.num_choices)
    job = await model.encoder.chat_job(body)
    answer = ChatAnswer(body, job, model.logprobs, model.engine.energy)
    return await responder.respond(job, answer, stream=body.stream)
