r"""Control characters in a schema: JSON has them only as ``\u001b``, which is not allowed always.

Where ``\u`` is, llguidance lets it stand for any character of an additional property's name, so
that ``"\u0061"`` would be a second ``"a"``. Not so in a name that follows a pattern.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sterna.server.constraints.json_schema.members import members, patterns_of

PLAIN_ESCAPES: Final = 'nrbtf\\"'
ALL_ESCAPES: Final = PLAIN_ESCAPES + "u"
LITERALS: Final = frozenset({"const", "enum"})

_CONTROL: Final = re.compile(r"[\x00-\x07\x0b\x0e-\x1f\x7f]")
# As a regex writes them; that of a mere line feed is here too, and does no harm.
_WRITTEN: Final = re.compile(
    r"\\(u00([01]\w|7[fF])|x([01]\w|7[fF])|[xu]\{0*([01]?\w|7[fF])\}|[0-7ave]|c\w)"
)


def has_control_characters(schema: object) -> bool:
    """Whether a constant or a pattern of a schema names one without an escape of its own."""
    patterns = patterns_of(schema)
    literals = (
        text for key, value in members(schema) if key in LITERALS for text in _strings(value)
    )
    return any(map(_CONTROL.search, [*literals, *patterns])) or any(map(_WRITTEN.search, patterns))


def without_disguise(schema: Any) -> Any:  # noqa: ANN401 (any JSON)
    """Return a schema whose objects have additional properties by pattern, beside those they list.

    A pattern is for listed properties too, so it can allow any value only: else there are none.
    """
    if isinstance(schema, list):
        return [without_disguise(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    found = {name: without_disguise(value) for name, value in schema.items()}
    more = found.get("additionalProperties", False)
    if more is not False and found.keys() & {"properties", "required"}:
        found["additionalProperties"] = False
        if more in (True, {}):
            found["patternProperties"] = found.get("patternProperties", {}) | {"": True}
    return found


def _strings(value: object) -> Iterator[str]:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, Mapping):
            pending += [*item, *item.values()]
        elif isinstance(item, list):
            pending += item
