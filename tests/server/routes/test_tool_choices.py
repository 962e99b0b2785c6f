"""What a model's calls look like in chunks and events, and where stop strings count.

The scripted model writes what it is told, whatever the constraint: that calls are valid is tested
in ``tests/server/tools/test_grammar.py``, and with a real model in ``test_tool_calls.py``.
"""

import json
from itertools import chain
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.scripted import ScriptedModel, ids_of, make_folder, says

URL = "/v1/chat/completions"
TEMPLATE = """\
{% for m in messages %}{{ m.role }}: {{ m.content }}
{% endfor %}{% for t in tools or [] %}[{{ t.function.name }}]{% endfor %}"""  # the context is small
BODY: dict[str, Any] = {
    "model": "scripted",
    "messages": [{"role": "user", "content": "x"}],
    "tools": [{"type": "function", "function": {"name": "f"}}],
    "max_tokens": 140,
}
FORM = {"response_format": {"type": "json_object"}}
CALL = '<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>'
ANSWER = f"Yes <b.\n{CALL}\n{CALL}"


def chunks(response: httpx.Response) -> list[Any]:
    *lines, _done, _rest = response.text.split("\n\n")
    return [json.loads(line.removeprefix("data: "))["choices"][0] for line in lines]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_folder(tmp_path_factory.mktemp("tools"))
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    return folder


@pytest.fixture(autouse=True)
def answer(model: ScriptedModel) -> None:
    model.reply = says(ANSWER)


async def test_text_and_calls_in_one_piece(client: httpx.AsyncClient) -> None:
    choice = (await client.post(URL, json=BODY)).json()["choices"][0]
    ids = [call.pop("id") for call in choice["message"]["tool_calls"]]
    assert len(set(ids)) == 2
    assert choice["finish_reason"] == "tool_calls"
    call = {"type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    assert choice["message"] == {
        "role": "assistant", "content": "Yes <b.", "refusal": None, "tool_calls": [call, call]
    }  # fmt: skip


async def test_text_and_calls_in_chunks(client: httpx.AsyncClient) -> None:
    choices = chunks(await client.post(URL, json=BODY | {"stream": True}))
    deltas = [choice["delta"] for choice in choices]
    assert deltas[0] == {"role": "assistant", "content": None}
    texts = [delta["content"] for delta in deltas[1:] if "content" in delta]
    assert "".join(texts) == "Yes <b."
    pieces = [call for delta in deltas for call in delta.get("tool_calls", [])]
    begun = [piece for piece in pieces if "id" in piece]
    assert [piece["index"] for piece in pieces] == sorted(piece["index"] for piece in pieces)
    for index, piece in enumerate(begun):
        assert piece.pop("id").startswith("call_")
        function = {"name": "f", "arguments": ""}
        assert piece == {"index": index, "type": "function", "function": function}
        more = [p for p in pieces if p["index"] == index and "name" not in p["function"]]
        assert more
        assert all(set(p) == {"index", "function"} for p in more)
        assert "".join(p["function"]["arguments"] for p in more) == '{"a": 1}'
    assert len(begun) == 2
    assert deltas[-1] == {}
    reasons = [choice["finish_reason"] for choice in choices]
    assert reasons == [None] * (len(reasons) - 1) + ["tool_calls"]


async def test_logprobs_cover_every_token(client: httpx.AsyncClient) -> None:
    body = BODY | {"logprobs": True, "return_token_ids": True}
    whole = (await client.post(URL, json=body)).json()["choices"][0]
    choices = chunks(await client.post(URL, json=body | {"stream": True}))
    listed = [choice["logprobs"]["content"] for choice in choices if choice["logprobs"]]
    assert [*chain(*listed)] == whole["logprobs"]["content"]
    token_ids = [choice.get("token_ids") or [] for choice in choices]
    assert [*chain(*token_ids)] == whole["token_ids"]


@pytest.mark.parametrize("stream", [False, True])
async def test_stop_strings_count_in_text_only(client: httpx.AsyncClient, stream: bool) -> None:
    async def end(stop: str, **fields: Any) -> tuple[str, str | None]:
        body = BODY | {"stop": [stop], "stream": stream} | fields
        response = await client.post(URL, json=body)
        choice = chunks(response)[-1] if stream else response.json()["choices"][0]
        return choice["finish_reason"], choice.get("stop_reason")

    assert await end("<b") == ("stop", "<b")
    assert await end("arguments") == ("tool_calls", None)
    assert await end("Yes", tool_choice="required") == ("tool_calls", None)


@pytest.mark.parametrize("stream", [False, True])
async def test_beside_a_form_a_mark_counts_only_at_the_beginning(
    client: httpx.AsyncClient, model: ScriptedModel, stream: bool
) -> None:
    """And with it, from where on stop strings mean nothing."""

    async def answer(text: str, **fields: Any) -> tuple[str, list[str], str]:
        model.reply = says(text)
        body = BODY | FORM | {"stream": stream} | fields
        response = await client.post(URL, json=body)
        choices = chunks(response) if stream else response.json()["choices"]
        said = [choice["delta" if stream else "message"] for choice in choices]
        made = [call["function"] for gain in said for call in gain.get("tool_calls", ())]
        names = [function["name"] for function in made if "name" in function]
        content = "".join(gain.get("content") or "" for gain in said)
        return content, names, choices[-1]["finish_reason"]

    object_with_mark = json.dumps({"say": CALL})
    assert await answer(object_with_mark) == (object_with_mark, [], "stop")
    assert await answer(f"{CALL}\n{CALL}") == ("", ["f", "f"], "tool_calls")
    cut = object_with_mark.partition("arguments")[0]
    assert await answer(object_with_mark, stop=["arguments"]) == (cut, [], "stop")
    assert await answer(CALL, stop=["arguments"]) == ("", ["f"], "tool_calls")


async def test_a_call_that_a_token_has_cut_was_not_made(client: httpx.AsyncClient) -> None:
    body = BODY | {"stop_token_ids": ids_of("1")}
    choice = (await client.post(URL, json=body)).json()["choices"][0]
    assert choice["finish_reason"] == "stop"


async def test_without_tools_or_choice_the_marks_are_text(client: httpx.AsyncClient) -> None:
    for fields in ({"tools": None}, {"tool_choice": "none"}):
        choice = (await client.post(URL, json=BODY | fields)).json()["choices"][0]
        assert (choice["message"]["content"], choice["finish_reason"]) == (ANSWER, "stop")


async def test_blocks_and_events_of_messages(client: httpx.AsyncClient) -> None:
    body = {
        "model": "scripted",
        "messages": BODY["messages"],
        "max_tokens": 140,
        "tools": [{"name": "f", "input_schema": {}}],
    }
    answer = (await client.post("/v1/messages", json=body)).json()
    assert [block["type"] for block in answer["content"]] == ["text", "tool_use", "tool_use"]
    assert answer["content"][1]["input"] == {"a": 1}
    assert answer["stop_reason"] == "tool_use"
    response = await client.post("/v1/messages", json=body | {"stream": True})
    lines = response.text.removesuffix("\n\n").split("\n\n")
    events = [json.loads(line.partition("\ndata: ")[2]) for line in lines]
    starts = [event for event in events if event["type"] == "content_block_start"]
    assert [(event["index"], event["content_block"]["type"]) for event in starts] == [
        (0, "text"), (1, "tool_use"), (2, "tool_use")
    ]  # fmt: skip
    assert starts[1]["content_block"]["input"] == {}
    inputs = [e for e in events if e["type"] == "content_block_delta" and e["index"] == 2]
    assert {event["delta"]["type"] for event in inputs} == {"input_json_delta"}
    assert json.loads("".join(event["delta"]["partial_json"] for event in inputs)) == {"a": 1}
    stops = [event["index"] for event in events if event["type"] == "content_block_stop"]
    assert stops == [0, 1, 2]
    assert events[-2]["delta"]["stop_reason"] == "tool_use"


async def test_a_call_that_the_limit_has_cut(client: httpx.AsyncClient) -> None:
    """It stays as it is in choices; a message, which has no place for half an object, omits it."""
    limit = {"max_tokens": ANSWER.index('": 1')}
    choice = (await client.post(URL, json=BODY | limit)).json()["choices"][0]
    (call,) = choice["message"]["tool_calls"]
    assert (choice["finish_reason"], call["function"]["arguments"]) == ("length", '{"a')
    tools = [{"name": "f", "input_schema": {}}]
    answer = (await client.post("/v1/messages", json=BODY | {"tools": tools} | limit)).json()
    assert answer["content"] == [{"type": "text", "text": "Yes <b."}]
    assert answer["stop_reason"] == "max_tokens"


async def test_a_prompt_shows_the_tools(client: httpx.AsyncClient, model: ScriptedModel) -> None:
    prompts: list[list[int]] = []
    reply = says("ok")

    def note(prompt: Any, params: Any) -> Any:
        prompts.append(list(prompt))
        return reply(prompt, params)

    model.reply = note
    for fields, shown in (({"tools": None}, ""), ({"tool_choice": "none"}, ""), ({}, "[f]")):
        await client.post(URL, json=BODY | {"max_tokens": 1} | fields)
        assert prompts.pop() == ids_of(f"user: x\n{shown}")
