"""The grammar of an answer with tools, which makes every call valid.

Text is free until the mark of a call; from there to the end there are only calls, each with the
name of a tool and arguments that follow its schema. Where text must have a form, an answer is of
that form or calls, and its beginning says which. ``parser.py`` reads what this grammar allows.
"""

import json
from dataclasses import dataclass
from typing import Final

from sterna.server.constraints.grammars import json_rule, lark
from sterna.server.tools.use import CALL_BEGIN, CALL_END, Tool, ToolUse

BEGIN: Final = json.dumps(CALL_BEGIN)
END: Final = json.dumps(CALL_END)

# Lazy: the mark ends the text where it first comes. Then no other way is left but a call.
AUTO: Final = f"""\
start: TEXT | text_before_call call%s
text_before_call[lazy]: TEXT {BEGIN}
TEXT: /(.|\\n)*/
"""
REQUIRED: Final = f"start: {BEGIN} call%s\n"
EITHER: Final = f"start: {BEGIN} call%s | @form\n"
MORE: Final = f" (/\\n?/ {BEGIN} call)*"


@dataclass(frozen=True, slots=True)
class ToolCalls:
    """Answers with calls of the allowed tools, of which there is at least one."""

    use: ToolUse

    def text(self) -> str:
        """The grammar for llguidance. Raises ValueError with the reason."""
        form = self.use.form
        start = REQUIRED if self.use.must_call else EITHER if form else AUTO
        parts = {"form": form.text(unlike=CALL_BEGIN)} if form else {}
        names = [f"call_{number}" for number in range(len(self.use.allowed))]
        rules = [
            start % (MORE if self.use.is_parallel else ""),
            f"call: /\\n?/ ({' | '.join(names)}) /\\n?/ {END}\n",
            *map(_rule, names, self.use.allowed),
        ]
        return lark("".join(rules), **parts)


def _rule(name: str, tool: Tool) -> str:
    head = f'{{"name": "{tool.name}", "arguments": '
    return f'{name}: {json.dumps(head)} {json_rule(tool.arguments)} "}}"\n'
