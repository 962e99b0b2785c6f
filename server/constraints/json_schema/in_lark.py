"""The schemas that a Lark grammar has in it, after ``%json``."""

import json
import re
from typing import Final

from sterna.server.constraints.json_schema.enforced import OPTIONS_KEY, enforced

_MARK: Final = re.compile(r"%json\s*")


def with_schemas(source: str) -> str:
    """Return a Lark grammar whose schemas are those that can be kept to. Raises ValueError."""
    written, position = "", 0
    while found := _MARK.search(source, position):
        schema, end = _schema_at(source, found.end())
        written += source[position : found.end()] + schema
        position = end
    return written + source[position:]


def _schema_at(source: str, start: int) -> tuple[str, int]:
    try:
        schema, end = json.JSONDecoder().raw_decode(source, start)
    except ValueError:
        raise ValueError("%json must be followed by a JSON schema") from None
    if not isinstance(schema, dict):
        return json.dumps(schema), end
    options = {OPTIONS_KEY: schema.pop(OPTIONS_KEY)} if OPTIONS_KEY in schema else {}
    return json.dumps(enforced(schema).schema | options), end
