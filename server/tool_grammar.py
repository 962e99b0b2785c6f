"""What the model may write when it may call tools, as a grammar: calls are valid by construction.

Lark as llguidance reads it. Text is free until the mark of a call; from there to the end there are
only calls, each with the name of a tool and arguments that follow its schema.
"""

import json

from server.tools import CALL_BEGIN, CALL_END, Tool, ToolUse

BEGIN, END = json.dumps(CALL_BEGIN), json.dumps(CALL_END)

# A lazy token ends as early as it can, so TEXT cannot run over a mark.
OPTIONAL = """\
start: TEXT | text_and_mark rest{more}
text_and_mark[lazy]: TEXT {begin}
TEXT: /(.|\\n)*/
"""
REQUIRED = """\
start: {begin} rest{more}
"""
MORE = f" (/\\n?/ {BEGIN} rest)*"
CALLS = """\
rest: /\\n?/ ({names}) /\\n?/ {end}
"""


def grammar(use: ToolUse) -> str:
    """The grammar of an answer. There must be a tool that may be called."""
    names = [f"call_{number}" for number in range(len(use.allowed))]
    start = REQUIRED if use.must_call else OPTIONAL
    more = MORE if use.is_parallel else ""
    rules = (f"{name}: {_call(tool)}\n" for name, tool in zip(names, use.allowed, strict=True))
    return "".join(
        [
            start.format(begin=BEGIN, more=more),
            CALLS.format(names=" | ".join(names), end=END),
            *rules,
        ]
    )


def _call(tool: Tool) -> str:
    head = f'{{"name": "{tool.name}", "arguments": '
    return f'{json.dumps(head)} %json {json.dumps(tool.parameters)} "}}"'
