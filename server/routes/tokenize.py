"""``/tokenize`` and ``/detokenize``: texts and the model's tokens, without the model.

Each takes a place in the queue: to read a text is work, too. Of the context's size they know
nothing: how much the result of * is too long is must be told.
"""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Response

from sterna.server.errors import InvalidRequestError
from sterna.server.http.checked_body import checked
from sterna.server.http.dependencies import ReservationDep, Services, ServicesDep
from sterna.server.schemas.chat_messages import for_template
from sterna.server.schemas.tokenize import (
    DetokenizeRequest,
    DetokenizeResponse,
    TokenizeRequest,
    TokenizeResponse,
)

router = APIRouter(tags=["tokens"])


@router.post("/tokenize", response_model=TokenizeResponse)
async def tokenize(
    body: Annotated[TokenizeRequest, checked(TokenizeRequest)],
    services: ServicesDep,
    reservation: ReservationDep,
) -> Response:
    """The tokens of a text, or of a conversation as the chat template writes it."""
    if body.model is not None:
        services.check_model(body.model)
    reservation.take(1)
    content = await asyncio.to_thread(_tokenize, services, body)
    return Response(content, media_type="application/json")


@router.post("/detokenize", response_model=DetokenizeResponse)
async def detokenize(
    body: Annotated[DetokenizeRequest, checked(DetokenizeRequest)],
    services: ServicesDep,
    reservation: ReservationDep,
) -> Response:
    """The text of tokens."""
    if body.model is not None:
        services.check_model(body.model)
    reservation.take(1)
    services.encoder.check_token_ids(body.tokens, "tokens")
    content = await asyncio.to_thread(_detokenize, services, body)
    return Response(content, media_type="application/json")


def _tokenize(services: Services, body: TokenizeRequest) -> str:
    token_ids = _encode(services, body)
    name_of = services.tokenizer.vocabulary.name_of
    return TokenizeResponse(
        count=len(token_ids),
        max_model_len=services.engine.model.max_context_tokens,
        tokens=token_ids,
        token_strs=list(map(name_of, token_ids)) if body.return_token_strs else None,
    ).model_dump_json()


def _detokenize(services: Services, body: DetokenizeRequest) -> str:
    text = services.tokenizer.decode(body.tokens, skip_special_tokens=False)
    return DetokenizeResponse(prompt=text).model_dump_json()


def _encode(services: Services, body: TokenizeRequest) -> list[int]:
    given = (body.prompt, body.content, body.messages)
    if sum(value is not None for value in given) != 1:
        message = "Provide exactly one of prompt, content or messages."
        raise InvalidRequestError(message, param="prompt")
    text = body.prompt if body.content is None else body.content
    if text is not None:
        if body.add_generation_prompt is False:
            message = "add_generation_prompt: allowed only with messages."
            raise InvalidRequestError(message, param="add_generation_prompt")
        return services.tokenizer.encode(text, add_special_tokens=body.adds_special_tokens)
    if body.adds_special_tokens:
        message = "add_special_tokens: not allowed with messages; the chat template adds them."
        raise InvalidRequestError(message, param="add_special_tokens")
    assert body.messages, "one of three was given"
    return services.tokenizer.encode_chat(
        for_template(body.messages),
        add_generation_prompt=body.add_generation_prompt is not False,
    )
