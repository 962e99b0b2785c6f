"""``/tokenize`` and ``/detokenize``: convert between text and tokens.

Each takes a place in the queue, because encoding a text is work. The text may be longer than the
context, so that clients can find out by how much it is too long.
"""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Response

from sterna.server.errors import InvalidRequestError
from sterna.server.http.checked_body import checked
from sterna.server.http.responder import ResponderDep
from sterna.server.schemas.chat_messages import for_template
from sterna.server.schemas.tokenize import (
    DetokenizeRequest,
    DetokenizeResponse,
    TokenizeRequest,
    TokenizeResponse,
)
from sterna.server.served_model import ServedModel

router = APIRouter(tags=["tokens"])


@router.post("/tokenize", response_model=TokenizeResponse)
async def tokenize(
    body: Annotated[TokenizeRequest, checked(TokenizeRequest)],
    responder: ResponderDep,
) -> Response:
    """Return the tokens of a text, or of a conversation rendered with the chat template."""
    model = responder.admit(body.model)
    content = await asyncio.to_thread(_tokenize, model, body)
    return Response(content, media_type="application/json")


@router.post("/detokenize", response_model=DetokenizeResponse)
async def detokenize(
    body: Annotated[DetokenizeRequest, checked(DetokenizeRequest)],
    responder: ResponderDep,
) -> Response:
    """Return the text of tokens."""
    model = responder.admit(body.model)
    model.encoder.check_token_ids(body.tokens, "tokens")
    content = await asyncio.to_thread(_detokenize, model, body)
    return Response(content, media_type="application/json")


def _tokenize(model: ServedModel, body: TokenizeRequest) -> str:
    token_ids = _encode(model, body)
    name_of = model.tokenizer.vocabulary.name_of
    return TokenizeResponse(
        count=len(token_ids),
        max_model_len=model.engine.model.max_context_tokens,
        tokens=token_ids,
        token_strs=list(map(name_of, token_ids)) if body.return_token_strs else None,
    ).model_dump_json()


def _detokenize(model: ServedModel, body: DetokenizeRequest) -> str:
    text = model.tokenizer.decode(body.tokens, skip_special_tokens=False)
    return DetokenizeResponse(prompt=text).model_dump_json()


def _encode(model: ServedModel, body: TokenizeRequest) -> list[int]:
    given = (body.prompt, body.content, body.messages)
    if sum(value is not None for value in given) != 1:
        message = "Provide exactly one of prompt, content or messages."
        raise InvalidRequestError(message, param="prompt")
    text = body.prompt if body.content is None else body.content
    if text is not None:
        if body.add_generation_prompt is False:
            message = "add_generation_prompt: allowed only with messages."
            raise InvalidRequestError(message, param="add_generation_prompt")
        return model.tokenizer.encode(text, add_special_tokens=body.adds_special_tokens)
    if body.adds_special_tokens:
        message = "add_special_tokens: not allowed with messages; the chat template adds them."
        raise InvalidRequestError(message, param="add_special_tokens")
    assert body.messages, "one of three was given"
    return model.tokenizer.encode_chat(
        for_template(body.messages),
        add_generation_prompt=body.add_generation_prompt is not False,
    )
