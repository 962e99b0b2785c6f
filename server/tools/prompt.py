"""Tools as text, for a checkpoint whose chat template knows nothing of them.

The system message describes the tools and how to call them, or the first user message if the
template takes no system message. Earlier calls are written as the model would have written them,
and results come in a user message, together with what the user writes next, because many templates
require alternating roles. A call is written as many small models learned it::

    <tool_call>
    {"name": "get_weather", "arguments": {"city": "Oslo"}}
    </tool_call>
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sterna.server.tools.use import CALL_BEGIN, CALL_END, Tool

RESULT_BEGIN, RESULT_END = "<tool_response>", "</tool_response>"

OFFER = "You can call these tools:"
FORM = f"""\
To call one, write its name and arguments like this, once for each call:
{CALL_BEGIN}
{{"name": "...", "arguments": {{...}}}}
{CALL_END}"""

Turn = Mapping[str, Any]


def has_calls(messages: Sequence[Turn]) -> bool:
    """Whether there are calls or results among the messages."""
    return any(message["role"] == "tool" or "tool_calls" in message for message in messages)


def as_text(
    messages: Sequence[Turn], tools: Sequence[Tool], *, takes_system: bool = True
) -> list[dict[str, Any]]:
    """The same conversation in turns of system, user and assistant that hold only text.

    takes_system: whether the template takes a turn of the system.
    """
    turns: list[dict[str, Any]] = []
    before = ""  # the role before, of which only a result's turn is ours to add to
    for message in messages:
        turn = _turn(message)
        if before == "tool" and turn["role"] == "user":
            gap = "\n" if message["role"] == "tool" else "\n\n"
            turns[-1] |= turn | {"content": f"{turns[-1]['content']}{gap}{turn['content']}"}
        else:
            turns.append(turn)
        before = message["role"]
    return _with_instructions(turns, tools, takes_system=takes_system) if tools else turns


def _turn(message: Turn) -> dict[str, Any]:
    if message["role"] == "tool":
        return {"role": "user", "content": f"{RESULT_BEGIN}\n{message['content']}\n{RESULT_END}"}
    calls = [_call_text(call["function"]) for call in message.get("tool_calls", ())]
    turn = {key: value for key, value in message.items() if key != "tool_calls"}
    return turn | {"content": "\n".join(filter(None, [message["content"], *calls]))}


def _call_text(function: Turn) -> str:
    call = {"name": function["name"], "arguments": function["arguments"]}
    return f"{CALL_BEGIN}\n{json.dumps(call, ensure_ascii=False)}\n{CALL_END}"


def _with_instructions(
    turns: Sequence[dict[str, Any]], tools: Sequence[Tool], *, takes_system: bool
) -> list[dict[str, Any]]:
    listing = [json.dumps(tool.for_template()["function"], ensure_ascii=False) for tool in tools]
    instructions = "\n".join([OFFER, *listing, FORM])
    first, *rest = turns
    if first["role"] == "system":
        return [first | {"content": f"{first['content']}\n\n{instructions}"}, *rest]
    if takes_system:
        return [{"role": "system", "content": instructions}, *turns]
    if first["role"] == "user":
        return [first | {"content": f"{instructions}\n\n{first['content']}"}, *rest]
    return [{"role": "user", "content": instructions}, *turns]
