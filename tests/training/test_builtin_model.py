"""The committed model is the one that its files say, and everyone reads it alike."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from sterna.engine import AsyncEngine, EngineConfig, SamplingParams

FOLDER = Path(__file__).parents[2] / "server" / "builtin_model"
MAX_BYTES = 12_000_000
NUM_TOKENS = 64
PROMPTS = [
    "What is a river?",
    "I am sad today.",
    "What is the difference between a cat and a dog?",
]
STORY = "Tell me a short story about a fox."
LONGER = ["What is a dog?", "How do I make tea?", "Write a poem about rain.", STORY]
AS_TRANSFORMERS = {"kv_dtype": "float32", "head": "bf16"}  # no rounding that it does not do
NEAR_TIE = 0.2
"""Where float sums in another order round an activation to another int8 neighbour, logits move:
by up to 0.18 on the prompts of ``training/evaluate.py``. Tokens closer than that may swap."""


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    transformers = pytest.importorskip("transformers")
    return transformers.AutoTokenizer.from_pretrained(FOLDER)


@pytest.fixture(scope="module")
def network() -> Iterator[Any]:
    transformers = pytest.importorskip("transformers")
    torch.set_num_threads(1)
    with torch.compiler.set_stance("force_eager"):
        yield transformers.AutoModelForCausalLM.from_pretrained(FOLDER)


def prompt_ids(tokenizer: Any, prompt: str) -> list[int]:
    messages = [{"role": "user", "content": prompt}]
    ids: list[int] = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, return_dict=False
    )
    return ids


async def engine_tokens(prompts: list[list[int]], **settings: Any) -> list[list[int | None]]:
    engine = AsyncEngine.load(EngineConfig(FOLDER, kv_cache_tokens=512, num_threads=1, **settings))
    engine.start()
    params = SamplingParams(max_tokens=NUM_TOKENS, temperature=0.0)
    try:
        return [[o.token_id async for o in engine.generate(ids, params)] for ids in prompts]
    finally:
        await engine.stop()


def test_files_are_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= MAX_BYTES


def test_config_names_the_tokens_that_the_tokenizer_has(tokenizer: Any) -> None:
    config = json.loads((FOLDER / "config.json").read_text())
    assert config["bos_token_id"] == tokenizer.bos_token_id
    assert config["eos_token_id"] == tokenizer.eos_token_id
    assert config["vocab_size"] == len(tokenizer)
    assert config["max_position_embeddings"] == tokenizer.model_max_length


def test_card_states_the_size_of_the_weights() -> None:
    size = (FOLDER / "model.safetensors").stat().st_size
    assert f"{size:,} bytes" in (FOLDER / "README.md").read_text()


@pytest.mark.parametrize(
    ("settings", "texts"),
    [
        ({}, PROMPTS),
        ({"backend": "reference"}, PROMPTS),
        (AS_TRANSFORMERS, PROMPTS + LONGER),
    ],
)
async def test_engine_and_transformers_give_the_same_greedy_text(
    settings: dict[str, str], texts: list[str], tokenizer: Any, network: Any
) -> None:
    """Each goes on from its own tokens, for 64 of them or to the end."""
    prompts = [prompt_ids(tokenizer, text) for text in texts]
    expected = [
        network.generate(torch.tensor([ids]), max_new_tokens=NUM_TOKENS, do_sample=False)[
            0, len(ids) :
        ].tolist()
        for ids in prompts
    ]
    found = await engine_tokens(prompts, **settings)
    assert [tokenizer.decode(ids) for ids in found] == [tokenizer.decode(ids) for ids in expected]
    assert all(tokenizer.decode(ids).isascii() for ids in found)


async def test_where_the_greedy_texts_part_is_a_near_tie(tokenizer: Any, network: Any) -> None:
    """A story has near ties; after one the texts go on differently, so each step is judged."""
    prompt = prompt_ids(tokenizer, STORY)
    [found] = await engine_tokens([prompt])
    with torch.no_grad():
        logits = network(torch.tensor([prompt + found])).logits[0, len(prompt) - 1 : -1]
    chosen = logits.gather(-1, torch.tensor(found)[:, None])[:, 0]
    assert (logits.amax(-1) - chosen).max() < NEAR_TIE
