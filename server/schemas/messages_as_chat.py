"""A body of ``/v1/messages`` -> the same request to ``/v1/chat/completions``.

Both APIs generate in the same way. Requests are translated here, answers in
``server/answers/messages.py``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from sterna.server.constraints.grammars import ConstraintSpec
from sterna.server.schemas.chat_completions import ChatCompletionRequest
from sterna.server.schemas.message_blocks import ToolResultBlock, ToolUseBlock
from sterna.server.schemas.messages import (
    Choice,
    CountTokensRequest,
    InputTool,
    MessagesRequest,
    Turn,
)
from sterna.server.tools.use import Tool, ToolUse

ERROR_PREFIX = "Error: "  # before the result of a call that failed


class TranslatedRequest(ChatCompletionRequest):
    """A chat request whose errors name the fields of ``/v1/messages``."""

    def constraint(self) -> tuple[ConstraintSpec, str] | None:
        """See ``ConstrainedFields``."""
        found = super().constraint()
        return found and (found[0], "output_config.format.schema")

    def tool_use(self) -> ToolUse:
        """See ``ChatCompletionRequest``."""
        use = super().tool_use()
        return replace(use, shown=_renamed(use.shown), allowed=_renamed(use.allowed))


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
    return _translated(body, sampling)


def chat_prompt(body: CountTokensRequest) -> ChatCompletionRequest:
    """Return the chat request with the same prompt."""
    return _translated(body, {})


def _translated(body: CountTokensRequest, sampling: dict[str, Any]) -> TranslatedRequest:
    fields = _conversation(body) | sampling
    if form := body.format:
        json_schema = {"name": "output", "schema": form.schema_}
        fields["response_format"] = {"type": "json_schema", "json_schema": json_schema}
    return TranslatedRequest.model_validate(fields)


def _renamed(tools: Sequence[Tool]) -> list[Tool]:
    param = "function.parameters", "input_schema"
    return [replace(tool, param=tool.param.replace(*param)) for tool in tools]


def _conversation(body: CountTokensRequest) -> dict[str, Any]:
    messages = [message for turn in body.messages for message in _messages(turn)]
    if body.system:
        content = _parts([block.text for block in body.system])
        messages.insert(0, {"role": "system", "content": content})
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
    if turn.texts or turn.uses or not turn.results:
        message = {"role": turn.role, "content": _parts(turn.texts)}
        if turn.uses:
            message["tool_calls"] = [_call(use) for use in turn.uses]
        if turn.thoughts:
            message["reasoning_content"] = "\n".join(turn.thoughts)
        yield message


def _parts(texts: Sequence[str]) -> str | list[dict[str, str]]:
    return [{"type": "text", "text": text} for text in texts] or ""


def _result(block: ToolResultBlock) -> dict[str, Any]:
    parts = _parts([part.text for part in block.content or ()])
    if block.is_error:
        parts = ERROR_PREFIX + "\n".join(part.text for part in block.content or ())
    return {"role": "tool", "tool_call_id": block.tool_use_id, "content": parts}


def _call(block: ToolUseBlock) -> dict[str, Any]:
    return {"id": block.id, "function": {"name": block.name, "arguments": block.input}}


def _tool(tool: InputTool) -> dict[str, Any]:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.input_schema,
        "strict": tool.strict,
    }
    return {"type": "function", "function": function}


def _choice(choice: Choice) -> object:
    if choice.type == "tool":
        return {"type": "function", "function": {"name": choice.name}}
    return "required" if choice.type == "any" else choice.type
