"""Tools beside a form of the answer: it is valid calls, or text in that form."""

import json
from typing import Any

import httpx
import jsonschema
import pytest

from tests.conformance.conftest import Json, Supports
from tests.conformance.test_streams import events

MESSAGES: list[Json] = [{"role": "user", "content": "Is it cold in Oslo? Answer in JSON."}]
NUM_SEEDS = 4


def object_of(**properties: Json) -> Json:
    closed = {"required": list(properties), "additionalProperties": False}
    return {"type": "object", "properties": properties} | closed


ARGUMENTS = object_of(city={"enum": ["Oslo", "Rome"]})
ANSWER = object_of(cold={"type": "boolean"}, words={"enum": ["few", "many"]})
TOOL: Json = {"name": "get_weather", "description": "Weather.", "parameters": ARGUMENTS}
NAMED: Json = {"type": "function", "function": {"name": "get_weather"}}
FIELDS: Json = {
    "parallel_tool_calls": False,
    "tools": [{"type": "function", "function": TOOL}],
    "response_format": {"type": "json_schema", "json_schema": {"name": "it", "schema": ANSWER}},
}


@pytest.fixture(autouse=True)
def supported(needs: Supports) -> None:
    needs(**FIELDS)


def body_of(model: str, choice: Any, seed: int) -> Json:
    asked = {"model": model, "messages": MESSAGES, "tool_choice": choice, "seed": seed}
    return FIELDS | asked | {"max_tokens": 150, "temperature": 1}


def ask(http: httpx.Client, model: str, choice: Any, seed: int) -> Json:
    answer: Json = http.post("chat/completions", json=body_of(model, choice, seed)).json()
    message: Json = answer["choices"][0]["message"]
    return message


def check(message: Json) -> bool:
    """Whether it has calls. They, or its content, are as they must be."""
    for call in message.get("tool_calls") or ():
        assert call["function"]["name"] == "get_weather"
        jsonschema.validate(json.loads(call["function"]["arguments"]), ARGUMENTS)
    if not message.get("tool_calls"):
        jsonschema.validate(json.loads(message["content"]), ANSWER)
    return bool(message.get("tool_calls"))


@pytest.mark.parametrize("seed", range(NUM_SEEDS))
def test_an_answer_is_calls_or_of_the_form(http: httpx.Client, model: str, seed: int) -> None:
    check(ask(http, model, "auto", seed))


@pytest.mark.parametrize("choice", ["required", NAMED], ids=["required", "named"])
def test_a_call_that_must_be_is_made(http: httpx.Client, model: str, choice: Any) -> None:
    for seed in range(NUM_SEEDS):
        message = ask(http, model, choice, seed)
        assert check(message)
        assert not message.get("content")


def test_without_calls_the_form_holds(http: httpx.Client, model: str) -> None:
    assert not any(check(ask(http, model, "none", seed)) for seed in range(NUM_SEEDS))


@pytest.mark.parametrize("choice", ["auto", "required"])
def test_a_stream_is_valid_too(http: httpx.Client, model: str, choice: str) -> None:
    content, calls = "", dict[int, Json]()
    for chunk in events(http, "chat/completions", body_of(model, choice, 0)):
        for delta in (each["delta"] for each in chunk["choices"]):
            content += delta.get("content") or ""
            for piece in delta.get("tool_calls") or ():
                new: Json = {"name": "", "arguments": ""}
                function = calls.setdefault(piece["index"], {"function": new})["function"]
                for name, text in piece["function"].items():
                    function[name] += text or ""
    made = [calls[index] for index in sorted(calls)]
    assert check({"content": content, "tool_calls": made}) or choice == "auto"
