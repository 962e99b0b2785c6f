r"""Patterns of strings and of names, written so that llguidance keeps to them.

Of a class that has all control characters, such as ``[^"]``, it takes the escapes of JSON for
granted, ``\"`` and ``\\`` too. Without NUL, the least missed, it looks at each.
"""

import re
from typing import Final

from sterna.server.constraints.json_schema.unsupported import UnsupportedError

_UNESCAPED: Final = r"(?<!\\)((?:\\\\)*)"
_LOOKS_AROUND: Final = re.compile(_UNESCAPED + r"(\(\?<?[=!]|\\[1-9])")
_NEGATED: Final = re.compile(_UNESCAPED + r"\[\^")
_FROM_NUL: Final = re.compile(_UNESCAPED + r"\\(x00|u0000|0)-")


def kept_pattern(pattern: str) -> str:
    """Return the pattern, without NUL in its classes. Raises UnsupportedError."""
    if _LOOKS_AROUND.search(pattern):
        raise UnsupportedError(
            f"the pattern {pattern[:80]!r} looks around or refers back, which is not supported: "
            "write it without, or leave it out"
        )
    return _FROM_NUL.sub(r"\1\\x01-", _NEGATED.sub(r"\1[^\\x00", pattern))
