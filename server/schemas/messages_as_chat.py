"""A body of ``/v1/messages`` -> the same request to ``/v1/chat/completions``.

Both APIs generate in the same way. Requests are translated here, answers in
``server/answers/messages.py``.
"""

import json
from collections.abc import Iterator
from typing import Any

from sterna.server.schemas.chat_completions import ChatCompletionRequest
from sterna.server.schemas.message_blocks import ToolResultBlock, ToolUseBlock
from sterna.server.schemas.messages import (
    Choice,
    CountTokensRequest,
    InputTool,
    MessagesRequest,
    Turn,
)

ERROR_PREFIX = "Error: "  # before the result of a call that failed


def chat_request(body: MessagesRequest) -> ChatCompletionRequest:
    """Return the chat request that generates the same."""
    sampling = {
        "max_tokens": body.max_tokens,
        "temperature": body.temperature,
        "top_p": body.top_p,
        "top_k": body.top_k,
        "stop": body.stop_sequences,
        "stream": body.stream,
    }
    return ChatCompletionRequest.model_validate(_conversation(body) | sampling)


def chat_prompt(body: CountTokensRequest) -> ChatCompletionRequest:
    """Return the chat request with the same prompt."""
    return ChatCompletionRequest.model_validate(_conversation(body))


def _conversation(body: CountTokensRequest) -> dict[str, Any]:
    messages = [message for turn in body.messages for message in _messages(turn)]
    if body.system:
        text = "\n".join(block.text for block in body.system)
        messages.insert(0, {"role": "system", "content": text})
    choice = body.tool_choice or Choice(type="auto")
    return {
        "model": body.model,
        "messages": messages,
        "tools": [_tool(tool) for tool in body.tools or ()],
        "tool_choice": _choice(choice),
        "parallel_tool_calls": not choice.disable_parallel_tool_use,
    }


def _messages(turn: Turn) -> Iterator[dict[str, Any]]:
    """Convert a turn; each tool result becomes a message."""
    yield from map(_result, turn.results)
    if turn.text or turn.uses or not turn.results:
        calls = [_call(use) for use in turn.uses]
        yield {"role": turn.role, "content": turn.text, "tool_calls": calls}


def _result(block: ToolResultBlock) -> dict[str, Any]:
    text = "".join(part.text for part in block.content or ())
    content = ERROR_PREFIX + text if block.is_error else text
    return {"role": "tool", "tool_call_id": block.tool_use_id, "content": content}


def _call(block: ToolUseBlock) -> dict[str, Any]:
    function = {"name": block.name, "arguments": json.dumps(block.input, ensure_ascii=False)}
    return {"id": block.id, "type": "function", "function": function}


def _tool(tool: InputTool) -> dict[str, Any]:
    function = {
        "name": tool.name, "description": tool.description, "parameters": tool.input_schema
    }  # fmt: skip
    return {"type": "function", "function": function}


def _choice(choice: Choice) -> object:
    if choice.type == "tool":
        return {"type": "function", "function": {"name": choice.name}}
    return "required" if choice.type == "any" else choice.type
