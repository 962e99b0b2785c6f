"""Tools as text, for a checkpoint whose chat template knows nothing of them.

The tools and the form of a call are told in the system's turn, earlier calls are written as the
model would have written them, and results come in a turn of the user. A call is written as many
small models learned it::

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


def as_text(messages: Sequence[Turn], tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """The same conversation in turns of system, user and assistant that hold only text."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        turn = _turn(message)
        if message["role"] == "tool" and turns and turns[-1]["role"] == "user":
            turns[-1]["content"] += "\n" + turn["content"]  # results of one turn's calls
        else:
            turns.append(turn)
    return _with_instructions(turns, tools) if tools else turns


def _turn(message: Turn) -> dict[str, Any]:
    turn = {key: message[key] for key in ("role", "content", "name") if key in message}
    if message["role"] == "tool":
        return {"role": "user", "content": f"{RESULT_BEGIN}\n{turn['content']}\n{RESULT_END}"}
    calls = [_call_text(call["function"]) for call in message.get("tool_calls", ())]
    return turn | {"content": "\n".join(filter(None, [turn["content"], *calls]))}


def _call_text(function: Turn) -> str:
    call = {"name": function["name"], "arguments": function["arguments"]}
    return f"{CALL_BEGIN}\n{json.dumps(call, ensure_ascii=False)}\n{CALL_END}"


def _with_instructions(
    turns: Sequence[dict[str, Any]], tools: Sequence[Tool]
) -> list[dict[str, Any]]:
    listing = [json.dumps(tool.for_template()["function"], ensure_ascii=False) for tool in tools]
    instructions = "\n".join([OFFER, *listing, FORM])
    first, *rest = turns
    if first["role"] != "system":
        return [{"role": "system", "content": instructions}, first, *rest]
    return [first | {"content": f"{first['content']}\n\n{instructions}"}, *rest]
