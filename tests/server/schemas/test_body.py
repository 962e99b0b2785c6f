"""One wrong thing is enough to refuse a body: a million of them must not cost a million errors."""

from typing import Any

import pytest
from pydantic import ValidationError

from sterna.server.schemas.body import Body
from sterna.server.schemas.chat_completions import ChatCompletionRequest
from sterna.server.schemas.completions import CompletionRequest
from sterna.server.schemas.messages import MessagesRequest
from sterna.server.schemas.tokenize import DetokenizeRequest

WRONG: list[object] = [{}] * 1000
TURN = {"role": "user", "content": "Hi"}
CHAT: dict[str, Any] = {"model": "m", "messages": [TURN]}
MESSAGES = CHAT | {"max_tokens": 1}
RESULT = {"type": "tool_result", "tool_use_id": "1", "content": WRONG}


@pytest.mark.parametrize(
    ("model", "body", "field"),
    [
        (ChatCompletionRequest, CHAT, {"messages": WRONG}),
        (ChatCompletionRequest, CHAT, {"messages": [{"role": "user", "content": WRONG}]}),
        (ChatCompletionRequest, CHAT, {"messages": [{"role": "assistant", "tool_calls": WRONG}]}),
        (ChatCompletionRequest, CHAT, {"tools": WRONG}),
        (ChatCompletionRequest, CHAT, {"stop": WRONG}),
        (ChatCompletionRequest, CHAT, {"stop_token_ids": WRONG}),
        (ChatCompletionRequest, CHAT, {"logit_bias": dict.fromkeys(map(str, range(1000)), 101)}),
        (ChatCompletionRequest, CHAT, {"structured_outputs": {"choice": WRONG}}),
        (ChatCompletionRequest, CHAT, {f"unknown_{i}": 0 for i in range(1000)}),
        (CompletionRequest, {"model": "m"}, {"prompt": WRONG}),
        (MessagesRequest, MESSAGES, {"messages": WRONG}),
        (MessagesRequest, MESSAGES, {"messages": [{"role": "user", "content": WRONG}]}),
        (MessagesRequest, MESSAGES, {"messages": [{"role": "user", "content": [RESULT]}]}),
        (MessagesRequest, MESSAGES, {"system": WRONG}),
        (MessagesRequest, MESSAGES, {"tools": WRONG}),
        (DetokenizeRequest, {}, {"tokens": WRONG}),
    ],
)
def test_the_first_error_is_the_last(
    model: type[Body], body: dict[str, Any], field: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError) as raised:
        model.model_validate(body | field)
    assert raised.value.error_count() < 10
