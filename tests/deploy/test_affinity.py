"""Which replica a request goes to: decided without Ray, so tested without it."""

import json
from collections import Counter
from typing import Any

import pytest

from deploy.ray.affinity import PREFIX_CHARACTERS, affinity_key, choose_order, order_by_key
from deploy.ray.http_message import Headers, HttpRequest

REPLICAS = ["a", "b", "c", "d"]
SYSTEM = {"role": "system", "content": "You are a fox."}


def ask(body: Any, headers: Headers | None = None) -> HttpRequest:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpRequest("POST", "/v1/chat/completions", b"", headers or [], encoded)


def chat(*messages: object, **fields: object) -> HttpRequest:
    return ask({"model": "m", "messages": list(messages), **fields})


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def test_all_turns_of_a_chat_have_one_key() -> None:
    first = chat(SYSTEM, user("Hello"))
    later = chat(SYSTEM, user("Hello"), {"role": "assistant", "content": "Hi"}, user("Who?"))
    assert affinity_key(first) == affinity_key(later)


@pytest.mark.parametrize(
    "other",
    [
        chat(SYSTEM, user("Goodbye")),
        chat({"role": "system", "content": "You are a hen."}, user("Hello")),
        chat(SYSTEM, user("Hello"), tools=[{"type": "function"}]),
        chat(SYSTEM, user("Hello"), system="of another API"),
    ],
)
def test_another_opening_has_another_key(other: HttpRequest) -> None:
    assert affinity_key(other) != affinity_key(chat(SYSTEM, user("Hello")))


def test_prompts_that_begin_alike_have_one_key() -> None:
    start = "x" * PREFIX_CHARACTERS
    assert affinity_key(ask({"prompt": start + "a"})) == affinity_key(ask({"prompt": start + "b"}))
    assert affinity_key(ask({"prompt": "a" + start})) != affinity_key(ask({"prompt": "b" + start}))
    assert affinity_key(ask({"prompt": [1, 2]})) != affinity_key(ask({"prompt": [1, 3]}))
    assert affinity_key(ask({"prompt": ["a", "c"]})) == affinity_key(ask({"prompt": "a"}))


def test_a_session_counts_more_than_the_prompt() -> None:
    headers = [(b"X-Session-Id", b"7")]
    a, b = (affinity_key(ask({"prompt": prompt}, headers)) for prompt in "ab")
    assert a == b == "session 7"


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff", b"[]", {"messages": []}, {"messages": 1}, {"prompt": 3}, {"prompt": ""}, {}],
    ids=repr,
)
def test_what_has_no_prefix_has_no_key(body: Any) -> None:
    assert affinity_key(ask(body)) is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"prompt": ' + b"[" * 100_000,
        b'{"prompt": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"prompt": ' + b"[" * 900 + b"1" + b"]" * 900 + b"}",
        b'{"messages": [{"role": "user", "content": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}]}",
    ],
    ids=["unclosed", "closed", "prompt", "messages"],
)
def test_a_body_that_nests_deeply_is_for_a_replica_to_refuse(body: bytes) -> None:
    key = affinity_key(ask(body))
    assert key is None or len(key) < 2 * len(body)


def test_keys_spread_over_all_replicas() -> None:
    homes = Counter(order_by_key(f"key {i}", REPLICAS)[0] for i in range(1000))
    assert all(180 < homes[replica] < 320 for replica in REPLICAS)  # mean 250, 5 deviations of 14


def test_only_the_keys_of_a_lost_replica_move() -> None:
    for i in range(100):
        before = order_by_key(f"key {i}", REPLICAS)
        after = order_by_key(f"key {i}", [r for r in REPLICAS if r != "b"])
        assert after == [r for r in before if r != "b"]


def test_a_home_that_is_too_busy_comes_last() -> None:
    home, *rest = order_by_key("key", REPLICAS)
    within = dict.fromkeys(rest, 1) | {home: 5}
    assert choose_order("key", within, max_imbalance=4)[0] == home
    beyond = dict.fromkeys(rest, 1) | {home: 6}
    assert choose_order("key", beyond, max_imbalance=4) == [*rest, home]


def test_without_a_key_the_least_busy_comes_first() -> None:
    assert choose_order(None, {"a": 2, "b": 0, "c": 1}, max_imbalance=9) == ["b", "c", "a"]
    assert choose_order("key", {}, max_imbalance=4) == []
