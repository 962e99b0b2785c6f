"""A form that can't be kept to is refused at the door, with the path of the field."""

import json
from typing import Any

import httpx
import pytest

CHAT = {"model": "scripted", "messages": [{"role": "user", "content": "Hi"}]}


def schema_format(**fields: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": {}} | fields}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"response_format": {"type": "yaml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": schema_format(name="a b")}, "response_format.json_schema.name"),
        ({"response_format": schema_format(schema=5)}, "response_format.json_schema.schema"),
        (
            {"response_format": schema_format(schema={"not": {}})},
            "response_format.json_schema.schema",
        ),
        (
            {"response_format": {"type": "json_object"}, "ignore_eos": True},
            "response_format",
        ),
        ({"structured_outputs": {}}, "structured_outputs"),
        ({"structured_outputs": {"regex": "a", "choice": ["a"]}}, "structured_outputs"),
        ({"structured_outputs": {"regex": "a("}}, "structured_outputs.regex"),
        ({"structured_outputs": {"regex": "\ud800"}}, "structured_outputs.regex"),
        ({"structured_outputs": {"regex": "(a|b)" * 5000}}, "structured_outputs.regex"),
        ({"structured_outputs": {"choice": []}}, "structured_outputs.choice"),
        ({"structured_outputs": {"choice": [""]}}, "structured_outputs.choice[0]"),
        ({"structured_outputs": {"json": "{"}}, "structured_outputs.json"),
        ({"structured_outputs": {"json": "[1]"}}, "structured_outputs.json"),
        ({"structured_outputs": {"json": "[" * 100_000}}, "structured_outputs.json"),
        ({"structured_outputs": {"json": '{"enum": ["\\ud800"]}'}}, "structured_outputs.json"),
        ({"structured_outputs": {"json": {"enum": ["x" * 70_000]}}}, "structured_outputs.json"),
        ({"structured_outputs": {"grammar": "start: a"}}, "structured_outputs.grammar"),
        ({"structured_outputs": {"json_object": True}}, "structured_outputs.json_object"),
        (
            {"structured_outputs": {"regex": "a"}, "response_format": {"type": "json_object"}},
            "structured_outputs",
        ),
    ],
    ids=lambda value: json.dumps(value)[:60],
)  # fmt: skip
async def test_a_bad_form_is_a_400(
    client: httpx.AsyncClient, fields: dict[str, Any], param: str
) -> None:
    content = json.dumps(CHAT | fields)
    headers = {"content-type": "application/json"}
    response = await client.post("/v1/chat/completions", content=content, headers=headers)
    error = response.json()["error"]
    assert (response.status_code, error["param"]) == (400, param), error
    assert "\n" not in error["message"]


async def test_text_is_free(client: httpx.AsyncClient) -> None:
    body = CHAT | {"response_format": {"type": "text"}, "structured_outputs": None}
    response = await client.post("/v1/chat/completions", json=body)
    assert response.json()["choices"][0]["message"]["content"] == "Hello there!"
