"""The arguments of an earlier call, as this server or another returned them.

Arguments that were cut short are read as far as they go; the last value may be incomplete.
"""

import json
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_core import from_json

from sterna.server.schemas.body import JsonObject


def _as_object(value: object) -> object:
    if value is None or value == "":
        return {}
    if isinstance(value, str):
        value = _parse(value)
    if not isinstance(value, dict):
        raise ValueError("must be a JSON object encoded as a string, or the beginning of one")
    return value


def _parse(text: str) -> object:
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        return None
    except json.JSONDecodeError as error:
        return None if error.msg == "Extra data" else _parse_beginning(text)
    except ValueError:
        return None


def _parse_beginning(text: str) -> object:
    try:
        return from_json(text, allow_partial="trailing-strings", allow_inf_nan=False)
    except ValueError:
        return None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


Arguments = Annotated[
    JsonObject,
    BeforeValidator(_as_object, json_schema_input_type=str | dict[str, Any] | None),
]
