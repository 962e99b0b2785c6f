"""A random GGUF file loads, in every type, with ternary embedding and head where they are so."""

from pathlib import Path

import numpy as np
import pytest

from sterna.engine import EngineConfig
from sterna.engine.energy.build import build_meter
from sterna.engine.errors import ConfigError
from sterna.engine.kernels import PackedTernary
from sterna.engine.load import load_engine
from sterna.engine.model.load import load_weights
from sterna.engine.requests.request import Request, SamplingParams
from sterna.engine.synth.gguf import gguf_types, synthesize_gguf
from sterna.engine.synth.shapes import shape_config


@pytest.mark.parametrize("type_name", gguf_types())
@pytest.mark.parametrize("like", ["small-qwen3"])
def test_every_type_loads(like: str, type_name: str, tmp_path: Path) -> None:
    synthesize_gguf(like, tmp_path / "model.gguf", type_name)
    weights = load_weights(tmp_path / "model.gguf", tmp_path / "cache")
    config = shape_config(like)
    assert weights.config.vocab_size == config.vocab_size
    assert weights.config.rope_scaling == config.rope_scaling
    assert isinstance(weights.embedding, PackedTernary)
    assert weights.head is weights.embedding
    assert weights.int8_head is None


def test_both_backends_say_the_same(tmp_path: Path) -> None:
    """The logits of the ternary head are rounded to 15 bits: the likeliest tokens are equal."""
    synthesize_gguf("small-qwen3", tmp_path / "model.gguf", "PQ2_0")

    def greedy(backend: str) -> list[int]:
        config = EngineConfig(
            tmp_path / "model.gguf", backend=backend, kv_dtype="float32", kv_cache_tokens=128
        )
        core = load_engine(config, build_meter(config)).core
        request = Request("r", [5, 6, 7, 8], SamplingParams(12, temperature=0.0, ignore_eos=True))
        core.add(request)
        while core.has_work:
            core.step()
        return request.token_ids

    assert greedy("native") == greedy("reference")


def test_the_bytes_of_a_ternary_head_are_counted_once(tmp_path: Path) -> None:
    synthesize_gguf("small-qwen3", tmp_path / "model.gguf", "PQ2_0")
    weights = load_weights(tmp_path / "model.gguf", tmp_path / "cache")
    assert weights.num_bytes == weights.ternary_bytes + weights.embedding_bytes + weights.norm_bytes
    assert weights.embedding_bytes == weights.head_bytes("int8") == weights.head_bytes("bf16")


def test_seed_decides(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        synthesize_gguf("small-qwen3", tmp_path / name, "TQ2_0", seed)
    first, same, other = (np.fromfile(tmp_path / name, np.uint8) for name in "abc")
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown GGUF type 'Q9_9', expected one of TQ1_0"):
        synthesize_gguf("small-qwen3", tmp_path / "a", "Q9_9")
    (tmp_path / "b").touch()
    with pytest.raises(ConfigError, match="found a file, expected a new name"):
        synthesize_gguf("small-qwen3", tmp_path / "b", "PQ2_0")
    with pytest.raises(ConfigError, match="no multiple of a block of 256"):
        synthesize_gguf("tiny", tmp_path / "c", "TQ2_0")
