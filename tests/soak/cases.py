"""Requests whose answers never change: greedy or with a seed, alone or in any company."""

from dataclasses import dataclass
from random import Random
from typing import Any

MODEL = "sterna-tiny"
WORDS = [
    "the",
    "little",
    "dog",
    "ran",
    "to",
    "a",
    "big",
    "red",
    "house",
    "and",
    "then",
    "she",
    "said",
    "that",
    "it",
    "was",
    "very",
    "happy",
]
SCHEMA = {
    "type": "object",
    "properties": {"name": {"enum": ["Tom", "Lily"]}, "happy": {"type": "boolean"}},
    "required": ["name", "happy"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Case:
    """A body without ``stream``."""

    url: str
    body: dict[str, Any]


def make_cases(model: str, seed: int) -> list[Case]:
    """Plain and chat, short and long, with everything that changes how tokens are chosen."""
    random = Random(seed)
    cases = [_case(model, random, index) for index in range(20)]
    for index in range(3):
        form = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
        body = _chat(random) | {"response_format": form, "seed": index}
        cases.append(Case("/v1/chat/completions", {"model": model, "max_tokens": 60} | body))
    return cases


def _case(model: str, random: Random, index: int) -> Case:
    """Half of them begin alike, so that they share blocks of the cache."""
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": random.choice([1, 8, 40, 200]),
        "ignore_eos": random.random() < 0.5,
        "return_token_ids": True,
        **random.choice(
            [
                {"temperature": 0},
                {"temperature": 1.2, "seed": index, "top_p": 0.9},
                {"seed": index, "n": 2},
                {"temperature": 0, "frequency_penalty": 1.0, "logit_bias": {"5": 3}},
                {"seed": index, "stop": [" the"]},
            ]
        ),
    }
    if index % 3 == 0:
        return Case("/v1/chat/completions", body | _chat(random))
    return Case("/v1/completions", body | {"prompt": _text(random)})


def _chat(random: Random) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": _text(random)}]}


def _text(random: Random) -> str:
    shared = " ".join(WORDS * 3) if random.random() < 0.5 else ""
    return f"{shared} {' '.join(random.choices(WORDS, k=random.randrange(1, 80)))}"
