"""Answers of the built-in model have the form that was asked for, in any company.

Through a stock openai client, which checks the shape of every response by itself.
"""

import asyncio
import json
import re
from random import Random
from typing import Any, Literal

import jsonschema
import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam
from pydantic import BaseModel

from sterna.server.checkpoint import BUILTIN_NAME

MESSAGES: list[ChatCompletionMessageParam] = [
    {"role": "user", "content": "Describe a fox as JSON, please."}
]
MAX_TOKENS = 120
JSON_ONE_OF = ["string", "integer", "number", "boolean", "null", "enum", "array", "object", "date"]


class Animal(BaseModel):
    kind: Literal["fox", "cat"]
    legs: int
    is_red: bool
    friend: "Animal | None"


@pytest.fixture
def client(builtin: openai.AsyncOpenAI) -> openai.AsyncOpenAI:
    return builtin


async def ask(client: openai.AsyncOpenAI, seed: int = 0, **fields: Any) -> ChatCompletion:
    extra = {name: fields.pop(name) for name in ("structured_outputs",) if name in fields}
    fields = {"max_tokens": MAX_TOKENS, "temperature": 1} | fields
    answer: ChatCompletion = await client.chat.completions.create(
        model=BUILTIN_NAME, messages=MESSAGES, seed=seed, extra_body=extra, **fields
    )
    return answer


def texts(answer: ChatCompletion) -> list[str]:
    return [choice.message.content or "" for choice in answer.choices]


def whole(answer: ChatCompletion) -> list[str]:
    """Those that ended by themselves."""
    ends = [choice.finish_reason == "stop" for choice in answer.choices]
    return [text for text, is_whole in zip(texts(answer), ends, strict=True) if is_whole]


def random_schema(random: Random, depth: int = 2) -> dict[str, Any]:
    kind = random.choice(JSON_ONE_OF if depth else JSON_ONE_OF[:6])
    if kind == "enum":
        return {"enum": random.sample(["a", 'qu"ote', 1, 2.5, None, ["x"], {"y": 1}, "\u00e9"], 3)}
    if kind == "date":
        return {"type": "string", "format": "date"}
    if kind == "array":
        items = random_schema(random, depth - 1)
        return {"type": "array", "items": items, "maxItems": random.randint(0, 3)}
    if kind == "object":
        names = random.sample(["name", "legs", "a b", "\u00fc", "tail"], random.randint(1, 3))
        return {
            "type": "object",
            "properties": {name: random_schema(random, depth - 1) for name in names},
            "required": random.sample(names, random.randint(0, len(names))),
            "additionalProperties": False,
        }
    limits = {"string": {"maxLength": random.randint(0, 12)}, "integer": {"minimum": 3}}
    return {"type": kind, **limits.get(kind, {})}


def as_schema(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "test", "schema": schema}}


async def test_every_whole_answer_is_valid_and_plain_requests_notice_nothing(
    client: openai.AsyncOpenAI,
) -> None:
    alone = [texts(await ask(client, seed, n=2)) for seed in range(3)]
    random = Random(1)
    schemas = [random_schema(random) for _ in range(16)]
    answers, plain = await asyncio.gather(
        asyncio.gather(
            *(
                ask(client, seed, n=4, response_format=as_schema(schema))
                for seed, schema in enumerate(schemas)
            )
        ),
        asyncio.gather(*(ask(client, seed, n=2) for seed in range(3))),
    )
    assert [texts(answer) for answer in plain] == alone
    for schema, answer in zip(schemas, answers, strict=True):
        for text in whole(answer):
            jsonschema.validate(json.loads(text), schema)
    assert sum(len(whole(answer)) for answer in answers) > 32  # of 64; strings may go on for long


async def test_a_constrained_answer_is_the_same_in_any_company(client: openai.AsyncOpenAI) -> None:
    async def object_of(seed: int) -> list[str]:
        return texts(await ask(client, seed, n=2, response_format={"type": "json_object"}))

    alone = [await object_of(seed) for seed in range(4)]
    assert await asyncio.gather(*map(object_of, range(4))) == alone
    assert all(text.startswith("{") for pair in alone for text in pair)


@pytest.mark.parametrize(
    "pattern", [r"[a-c]{3}", r"(yes|no), \d{2}", r"\p{Greek}{2,5}", r"[^\x00-\x{ffff}]{2}", r""]
)
async def test_a_regex_holds_in_the_text(client: openai.AsyncOpenAI, pattern: str) -> None:
    answer = await ask(client, n=4, structured_outputs={"regex": pattern})
    assert len(whole(answer)) == 4
    if not pattern.startswith((r"\p", "[^")):  # what Python writes otherwise
        assert all(re.fullmatch(pattern, text) for text in texts(answer))
    assert not any("\ufffd" in text for text in texts(answer))


async def test_a_choice_is_one_of_them(client: openai.AsyncOpenAI) -> None:
    choices = ["fox", "fox cub", 'a "cat"', "\U0001f98a", " leading space"]
    found = [texts(await ask(client, seed, n=4, structured_outputs={"choice": choices}))
             for seed in range(3)]  # fmt: skip
    assert {text for four in found for text in four} <= set(choices)


async def test_a_grammar_derives_the_text(client: openai.AsyncOpenAI) -> None:
    grammar = 'root ::= item ("," item){2}\nitem ::= [0-9]+'
    answer = await ask(client, n=4, structured_outputs={"grammar": grammar})
    assert whole(answer)
    assert all(re.fullmatch(r"\d+,\d+,\d+", text) for text in whole(answer))


async def test_the_client_parses_into_a_class(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.parse(
        model=BUILTIN_NAME,
        messages=MESSAGES,
        response_format=Animal,
        seed=4,
        max_tokens=400,
        temperature=1,
    )
    assert isinstance(answer.choices[0].message.parsed, Animal)


async def test_streams_and_completions_are_held_to_it_too(client: openai.AsyncOpenAI) -> None:
    form: Any = {"structured_outputs": {"json": json.dumps({"enum": [["a", 1], {"b": None}]})}}
    expected = texts(await ask(client, 3, **form))[0]
    stream = await client.chat.completions.create(
        model=BUILTIN_NAME, messages=MESSAGES, seed=3, temperature=1, stream=True, extra_body=form
    )
    pieces = [choice.delta.content or "" async for chunk in stream for choice in chunk.choices]
    assert "".join(pieces) == expected
    answer = await client.completions.create(
        model=BUILTIN_NAME, prompt=["One", "Two"], temperature=1, max_tokens=100, extra_body=form
    )
    assert all(json.loads(choice.text) in (["a", 1], {"b": None}) for choice in answer.choices)


async def test_the_form_wins_over_bias_and_minimum(client: openai.AsyncOpenAI) -> None:
    bias = {str(token_id): 100 for token_id in range(300, 340)}
    answer = await client.chat.completions.create(
        model=BUILTIN_NAME,
        messages=MESSAGES,
        logit_bias=bias,
        max_tokens=50,
        extra_body={"structured_outputs": {"choice": ["yes", "no"]}, "min_tokens": 20},
    )
    assert answer.choices[0].message.content in ("yes", "no")


async def test_a_stop_string_cuts(client: openai.AsyncOpenAI) -> None:
    answer = await ask(client, stop=["c"], structured_outputs={"choice": ["abcde"]})
    assert texts(answer) == ["ab"]


async def test_a_cut_answer_says_so(client: openai.AsyncOpenAI) -> None:
    answer = await ask(client, max_tokens=3, structured_outputs={"regex": "(a b ){40}"})
    assert answer.choices[0].finish_reason == "length"
