"""Which tools a request may state, and what its choice makes of them."""

from contextlib import nullcontext
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from sterna.server.schemas.tools import MAX_SCHEMA_CHARACTERS, MAX_TOOLS, NO_PARAMETERS, ToolFields


def tool(name: str, **function: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name} | function}


def named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def names(tools: Any) -> list[str]:
    return [tool.name for tool in tools]


BOTH = [tool("f"), tool("g")]
ALLOWED = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [named("g")]}}


@pytest.mark.parametrize(
    ("choice", "shown", "allowed", "must_call"),
    [
        (None, "fg", "fg", False),
        ("auto", "fg", "fg", False),
        ("none", "", "", False),
        ("required", "fg", "fg", True),
        (named("g"), "fg", "g", True),
        (ALLOWED, "fg", "g", True),
    ],
)
def test_a_choice(choice: Any, shown: str, allowed: str, must_call: bool) -> None:
    use = ToolFields.model_validate({"tools": BOTH, "tool_choice": choice}).tool_use()
    assert names(use.shown) == list(shown)
    assert names(use.allowed) == list(allowed)
    assert use.must_call == must_call


def test_there_is_one_call_if_it_is_named_or_not_to_be_parallel() -> None:
    def is_parallel(**fields: Any) -> bool:
        return ToolFields.model_validate({"tools": BOTH} | fields).tool_use().is_parallel

    assert is_parallel()
    assert is_parallel(tool_choice=ALLOWED)
    assert not is_parallel(tool_choice=named("f"))
    assert not is_parallel(parallel_tool_calls=False)


def test_a_tool_knows_its_schema_and_where_it_is_stated() -> None:
    schema = {"properties": {"a": {"type": "integer"}}}
    fields = ToolFields.model_validate({"tools": [tool("f"), tool("g", parameters=schema)]})
    bare, full = fields.tool_use().shown
    assert bare.parameters == NO_PARAMETERS
    assert full.parameters == {"type": "object"} | schema
    assert full.param == "tools[1].function.parameters"


def test_without_tools_there_is_nothing_to_choose() -> None:
    bodies: list[dict[str, Any]] = [{}, {"tools": []}, {"tool_choice": "auto"}]
    for fields in [*bodies, {"parallel_tool_calls": False}]:
        assert not ToolFields.model_validate(fields).tool_use().shown


NO_CHOICES: list[Any] = ["any", "function", 5, [], {}]
CHOICES: list[tuple[Any, bool]] = [
    *((word, True) for word in ("none", "auto", "required", None)),
    (named("f"), True),
    (ALLOWED, True),
    *((wrong, False) for wrong in NO_CHOICES),
    *(({"type": word}, False) for word in ("none", "auto", "required", "function", "any", 5)),
    ({"type": "allowed_tools"}, False),
    ({"type": "function", "allowed_tools": ALLOWED["allowed_tools"]}, False),
    ({"type": "auto"} | {"function": {"name": "f"}}, False),
    (named("f") | {"allowed_tools": ALLOWED["allowed_tools"]}, False),
    (named("f") | {"more": 1}, False),
    ({"type": "function", "function": {}}, False),
    ({"type": "function", "function": {"name": "f", "more": 1}}, False),
    ({"type": "allowed_tools", "allowed_tools": {"mode": "none", "tools": [named("g")]}}, False),
    ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}, False),
    ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": ["g"]}}, False),
]


@pytest.mark.parametrize(("choice", "is_valid"), CHOICES, ids=lambda value: str(value)[:60])
def test_the_schema_of_a_choice_is_as_strict_as_its_validation(choice: Any, is_valid: bool) -> None:
    body = {"tools": BOTH, "tool_choice": choice}
    document = ToolFields.model_json_schema()
    assert Draft202012Validator(document).is_valid(body) == is_valid
    with nullcontext() if is_valid else pytest.raises(ValidationError):
        ToolFields.model_validate(body)


def test_a_generated_client_tells_choices_apart_by_their_type() -> None:
    choice = ToolFields.model_json_schema()["properties"]["tool_choice"]
    (union,) = [form for form in choice["anyOf"] if "oneOf" in form]
    assert union["discriminator"]["propertyName"] == "type"
    assert set(union["discriminator"]["mapping"]) == {"function", "allowed_tools"}


LONG = {"type": "object", "description": "x" * MAX_SCHEMA_CHARACTERS}
NO_SCHEMAS: list[Any] = [{"type": "string"}, LONG, {"a": float("nan")}, {"a": "\ud800"}, []]
PARAMETERS = ("tools", 0, "function", "parameters")


@pytest.mark.parametrize(
    ("fields", "location"),
    [
        ({"tools": [tool(f"f{number}") for number in range(MAX_TOOLS + 1)]}, ("tools",)),
        ({"tools": [tool("f"), tool("f")]}, ("tools",)),
        ({"tools": [{"type": "retrieval"}]}, ("tools", 0, "type")),
        ({"tools": [tool("a b")]}, ("tools", 0, "function", "name")),
        ({"tools": [tool("a" * 65)]}, ("tools", 0, "function", "name")),
        ({"tools": [tool("f\n")]}, ("tools", 0, "function", "name")),
        *(({"tools": [tool("f", parameters=schema)]}, PARAMETERS) for schema in NO_SCHEMAS),
        ({"tools": BOTH, "tool_choice": "any"}, ("tool_choice", "type")),
        ({"tools": BOTH, "tool_choice": named("h")}, ("tool_choice",)),
        ({"tools": BOTH, "tool_choice": {"type": "function"}}, ("tool_choice",)),
        ({"tool_choice": "required"}, ("tool_choice",)),
        ({"tool_choice": named("f")}, ("tool_choice",)),
    ],
)
def test_what_is_refused_is_named(fields: dict[str, Any], location: tuple[str | int, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        ToolFields.model_validate(fields)
    assert caught.value.errors()[0]["loc"] == location
