"""``POST /v1/completions``: continue one or several prompts."""

from typing import Annotated

from fastapi import APIRouter, Response

from sterna.server.answers.completions import CompletionAnswer
from sterna.server.http.checked_body import checked
from sterna.server.http.responder import ResponderDep
from sterna.server.schemas.completions import Completion, CompletionRequest

router = APIRouter(tags=["completions"])


@router.post("/v1/completions", response_model=Completion)
async def create_completion(
    body: Annotated[CompletionRequest, checked(CompletionRequest)],
    responder: ResponderDep,
) -> Response:
    """Return one or several answers to each prompt, as a stream of chunks or as a whole."""
    model = responder.admit(body.model, len(body.prompt) * body.num_choices)
    job = await model.encoder.completion_job(body)
    answer = CompletionAnswer(body, job, model.logprobs, model.engine.energy)
    return await responder.respond(job, answer, stream=body.stream)
