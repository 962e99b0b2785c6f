"""docs/http-api.md lists every field of every endpoint with its status, and says so truly.

A new field of a schema needs a row in the table under its endpoint's heading:

    | `name` | honoured | what it may be | its default | what it does |
    | `name` | inert | what it may be | | |
    | `name` | refused | `null`, or the values that leave it off, as JSON | | |

A field of an object within is `outer.name`, of an object in a list `outer[].name`.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from sterna.server.schemas.body import Body
from sterna.server.schemas.chat_completions import ChatCompletionRequest
from sterna.server.schemas.completions import CompletionRequest
from sterna.server.schemas.messages import MessagesRequest
from sterna.server.schemas.tokenize import DetokenizeRequest, TokenizeRequest

DOCUMENT = (Path(__file__).parents[2] / "docs/http-api.md").read_text()
SHARED = "Both generation endpoints"
HEADINGS: list[tuple[type[Body], list[str]]] = [
    (ChatCompletionRequest, [SHARED, "Messages", "Chat completions"]),
    (CompletionRequest, [SHARED, "Completions"]),
    (TokenizeRequest, ["Messages", "Tokenize"]),
    (DetokenizeRequest, ["Detokenize"]),
    (MessagesRequest, ["Anthropic's messages"]),
]
Statuses = dict[str, str]  # of each field; of a refused one with the values that are off


def documented(heading: str) -> Statuses:
    """What the table below a heading says."""
    _, _, rest = DOCUMENT.partition(f"\n### {heading}\n")
    section, _, _ = rest.partition("\n##")
    rows = re.findall(r"^\| `([^`]+)` \| (\w+) \| ([^|]*) \|", section, re.MULTILINE)
    assert rows, f"no table of fields under {heading!r}"
    return {
        name: _refused(map(json.loads, re.findall("`([^`]+)`", values)))
        if status == "refused"
        else status
        for name, status, values in rows
    }


def actual(schema: type[Body], prefix: str = "") -> Statuses:
    """What the schema says, with the objects within."""
    found = {prefix + name: _refused(values or (None,)) for name, values in schema.neutral.items()}
    for attribute, field in schema.model_fields.items():
        name = field.alias or attribute
        found[prefix + name] = "inert" if name in schema.inert else "honoured"
        for inner, infix in _bodies(field.annotation):
            found |= actual(inner, f"{prefix}{name}{infix}.")
    return found


def _refused(values: Any) -> str:
    return f"refused unless {sorted(map(json.dumps, values))}"


def _bodies(annotation: Any, infix: str = "") -> Iterator[tuple[type[Body], str]]:
    """All objects that a value may be or hold."""
    if isinstance(annotation, type) and issubclass(annotation, Body):
        yield annotation, infix
    for argument in get_args(annotation):
        is_list = getattr(annotation, "__origin__", None) is list
        yield from _bodies(argument, infix + "[]" if is_list else infix)


@pytest.mark.parametrize(("schema", "headings"), HEADINGS)
def test_every_field_is_listed_with_its_status(schema: type[Body], headings: list[str]) -> None:
    said: Statuses = {}
    for heading in headings:
        said |= documented(heading)
    assert said == actual(schema)


def test_no_field_is_listed_twice() -> None:
    generating = [headings[-1] for _, headings in HEADINGS if SHARED in headings]
    names = [name for heading in generating for name in documented(heading)]
    shared = documented(SHARED)
    assert {name for name in names if name in shared} <= {"max_tokens"}  # which differ
