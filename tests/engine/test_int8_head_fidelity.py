"""On real hidden states the int8 head's greedy tokens are the bf16 head's.

The states are those of the built-in model over its own kind of text: 2,000 positions.
"""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from sterna.engine.config import HeadType
from sterna.engine.kernels import CACHE_TOKENS, Floats, NativeProgram, Step, supported_isas
from sterna.engine.model.families.bitnet import BitNet
from sterna.engine.model.families.rotary import attention_shape
from sterna.engine.model.load import load_weights
from sterna.engine.model.weights import ModelWeights

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "server" / "builtin_model"
NUM_POSITIONS = 2000
CHUNK = 250


def text_tokens() -> list[int]:
    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    tokens: list[int] = []
    with gzip.open(next((ROOT / "training" / "data").glob("*.jsonl.gz")), "rt") as lines:
        while len(tokens) < NUM_POSITIONS:
            for message in json.loads(next(lines))["messages"]:
                tokens += tokenizer.encode(message["content"]).ids
    return tokens[:NUM_POSITIONS]


def logits(weights: ModelWeights, isa: str, head: HeadType, tokens: list[int]) -> Floats:
    """The logits after every token, the text cut into contexts of CHUNK tokens."""
    blocks = -(-CHUNK // CACHE_TOKENS)
    shape = attention_shape(weights.config, CHUNK, blocks)
    program = NativeProgram(shape, 2, CHUNK, CHUNK, isa)
    BitNet().record(program, weights, head)
    positions = np.arange(CHUNK, dtype=np.int32)
    return np.concatenate(
        [
            program.run(
                Step(
                    token_ids=np.array(tokens[start : start + CHUNK], np.int32),
                    positions=positions,
                    slots=positions,
                    block_tables=np.arange(blocks, dtype=np.int32)[None],
                    query_starts=np.array([0, CHUNK], np.int32),
                    logit_rows=positions,
                )
            ).copy()
            for start in range(0, NUM_POSITIONS, CHUNK)
        ]
    )


@pytest.mark.parametrize("isa", supported_isas()[:1])
def test_greedy_tokens_equal_those_of_the_bf16_head(isa: str, tmp_path: Path) -> None:
    weights, tokens = load_weights(MODEL, tmp_path), text_tokens()
    int8, bf16 = (logits(weights, isa, head, tokens) for head in ("int8", "bf16"))
    np.testing.assert_array_equal(int8.argmax(-1), bf16.argmax(-1))
    np.testing.assert_array_equal(int8.max(-1), bf16.max(-1))
    changed = int8 != bf16
    assert changed.any(), "every row was a candidate: the bound says nothing"
