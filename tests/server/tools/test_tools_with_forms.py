"""A stock openai client that asks the built-in model for a form, and gives it tools as well."""

import json
from typing import Any

import jsonschema
import openai
import pytest

from sterna.server.tools.use import CALL_BEGIN
from tests.server.client.asking import tokens_of
from tests.server.tool_asking import ALLOWED, NAMED, ask, calls

ANSWER = {
    "type": "object",
    "properties": {"river": {"type": "string", "maxLength": 12}, "long": {"type": "boolean"}},
    "required": ["river", "long"],
    "additionalProperties": False,
}
FORM = {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": ANSWER}}}


@pytest.fixture
def client(builtin: openai.AsyncOpenAI) -> openai.AsyncOpenAI:
    return builtin


async def calling(client: openai.AsyncOpenAI, weight: int) -> dict[str, Any]:
    """A bias for or against the first character of a call's mark."""
    url = str(client.base_url).removesuffix("/v1/")
    (*_, token_id) = await tokens_of(url, CALL_BEGIN[0])
    return {"logit_bias": {str(token_id): weight}}


@pytest.mark.parametrize("choice", ["auto", ALLOWED])
async def test_with_a_form_an_answer_is_calls_or_of_the_form(
    client: openai.AsyncOpenAI, choice: Any
) -> None:
    fields = FORM | {"tool_choice": choice, "parallel_tool_calls": False, "n": 12, "seed": 8}
    called = await ask(client, **fields, **await calling(client, 100))
    assert calls(called)
    assert {choice.message.content for choice in called.choices} == {None}
    said = await ask(client, **fields, **await calling(client, -100))
    assert not calls(said)
    ended = [choice for choice in said.choices if choice.finish_reason == "stop"]
    assert ended
    for each in ended:
        jsonschema.validate(json.loads(each.message.content or ""), ANSWER)


async def test_a_form_means_nothing_to_calls_and_all_without_them(
    client: openai.AsyncOpenAI,
) -> None:
    required = await ask(client, tool_choice="required", n=4, seed=9, **FORM)
    free = await ask(client, tool_choice="required", n=4, seed=9)
    assert calls(required) == calls(free) != []
    none = await ask(client, tool_choice="none", seed=9, **FORM)
    alone = await ask(client, tools=openai.omit, seed=9, **FORM)
    jsonschema.validate(json.loads(none.choices[0].message.content or ""), ANSWER)
    assert none.choices[0].message.content == alone.choices[0].message.content


@pytest.mark.parametrize(
    ("structured", "expected"),
    [({"choice": ["<", "no"]}, "< no"), ({"regex": "[<a-c]{3}"}, "<abc")],
)
async def test_other_forms_go_with_calls_too(
    client: openai.AsyncOpenAI, structured: Any, expected: str
) -> None:
    answer = await ask(client, n=8, seed=1, extra_body={"structured_outputs": structured})
    calls(answer)
    texts = [each.message.content for each in answer.choices if not each.message.tool_calls]
    assert texts
    assert all(text and set(text) <= set(expected) for text in texts)


async def test_only_a_grammar_can_not_be_asked_for_beside_calls(
    client: openai.AsyncOpenAI,
) -> None:
    form = {"structured_outputs": {"grammar": 'start: "a"'}}
    with pytest.raises(openai.BadRequestError, match=r"structured_outputs\.grammar") as caught:
        await ask(client, extra_body=form)
    assert caught.value.param == "tool_choice"
    assert calls(await ask(client, tool_choice=NAMED, extra_body=form))
    none = await ask(client, tool_choice="none", extra_body=form)
    assert none.choices[0].message.content == "a"


async def test_a_form_that_cannot_be_kept_to_is_named_beside_tools(
    client: openai.AsyncOpenAI,
) -> None:
    for choice in ("auto", "required"):
        with pytest.raises(openai.BadRequestError) as caught:
            await ask(client, tool_choice=choice, extra_body={"structured_outputs": {"regex": "("}})
        assert caught.value.param == "structured_outputs.regex"
