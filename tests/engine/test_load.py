"""From a checkpoint's folder to tokens, through everything that is real."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from sterna.engine import (
    AsyncEngine,
    CheckpointError,
    ConfigError,
    ContextLengthError,
    EngineConfig,
    SamplingParams,
)
from sterna.engine.config import KV_DTYPES, KVDtype
from sterna.engine.energy.meter import EnergyMeter
from sterna.engine.load import load_engine
from sterna.engine.requests.request import Request
from sterna.engine.synth.checkpoint import synthesize_checkpoint


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> EngineConfig:
    folder = tmp_path_factory.mktemp("load")
    synthesize_checkpoint("tiny", folder / "model")
    return EngineConfig(folder / "model", num_threads=1, cache_dir=folder / "cache")


async def generate(engine: AsyncEngine, prompt: list[int], seed: int) -> list[int | None]:
    params = SamplingParams(max_tokens=12, seed=seed, ignore_eos=True)
    return [output.token_id async for output in engine.generate(prompt, params)]


async def serve(config: EngineConfig) -> list[list[int | None]]:
    engine = AsyncEngine.load(config)
    engine.start()
    try:
        prompts = [list(range(i, i + 40)) for i in range(8)]
        return await asyncio.gather(*(generate(engine, p, i) for i, p in enumerate(prompts)))
    finally:
        await engine.stop()


async def test_settings_change_nothing_but_speed(config: EngineConfig) -> None:
    expected = await serve(config)
    assert all(len(tokens) == 12 for tokens in expected)
    cramped = replace(
        config, max_batch_tokens=9, max_batch_requests=3, kv_cache_tokens=64, num_threads=2
    )
    assert await serve(cramped) == expected
    assert await serve(replace(config, cache_dir=None)) == expected


def test_256_requests_run_at_once(config: EngineConfig) -> None:
    core = load_engine(
        replace(config, max_batch_requests=256, kv_cache_tokens=8192), EnergyMeter()
    ).core
    for i in range(256):
        core.add(Request(f"r{i}", [i], SamplingParams(max_tokens=3)))
    assert [len(core.step()) for _ in range(3)] == [256] * 3
    assert not core.has_work


async def test_reference_backend_serves(config: EngineConfig) -> None:
    assert len(await serve(replace(config, backend="reference"))) == 8


@pytest.mark.parametrize("kv_dtype", KV_DTYPES)
async def test_every_type_of_cache_serves(config: EngineConfig, kv_dtype: KVDtype) -> None:
    assert len(await serve(replace(config, kv_dtype=kv_dtype))) == 8


def test_what_is_known_of_the_loaded_engine(config: EngineConfig) -> None:
    engine = AsyncEngine.load(replace(config, kv_cache_tokens=1000, num_threads=2))
    model, stats = engine.model, engine.stats()
    assert (model.vocab_size, model.max_context_tokens) == (512, 512)
    assert (stats.kv_blocks_total, stats.kv_block_tokens) == (62, 16)
    footprint = engine.footprint
    kv_cache_bytes = 62 * 16 * 2 * 2 * 2 * 16 * 2  # K, V; layers, heads, size; f16
    assert footprint.kv_cache_bytes == kv_cache_bytes
    assert (footprint.backend, footprint.num_threads) == ("native", 2)
    assert 0 < footprint.weight_bytes < 1_000_000
    assert footprint.fp16_weight_bytes == 2 * model.num_parameters
    assert 0 < (footprint.head_bytes or 0) < footprint.weight_bytes
    assert footprint.scratch_bytes
    assert footprint.scratch_bytes > 256 * 512  # a step's tokens, and each of some widths
    assert footprint.kv_dtype == "float16"
    assert not engine.is_alive


def test_default_cache_holds_full_contexts_of_all_requests(config: EngineConfig) -> None:
    """The model is tiny, so memory is no limit."""
    stats = AsyncEngine.load(replace(config, max_batch_requests=2)).stats()
    assert stats.kv_blocks_total == 2 * 512 // 16


@pytest.mark.parametrize(
    ("backend", "kv_dtype", "head_bytes"),
    [
        ("native", "float16", 16 * 2),
        ("native", "float32", 16 * 4),
        ("native", "int8", 16 + 4),  # with a float32 scale
        ("reference", "int8", 16 * 4),  # rounded, but kept as floats
    ],
)
def test_default_cache_is_a_share_of_the_memory_that_weights_leave(
    config: EngineConfig,
    backend: str,
    kv_dtype: KVDtype,
    head_bytes: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    block_bytes = 16 * 2 * 2 * 2 * head_bytes  # tokens; K and V; layers; heads
    free_bytes = AsyncEngine.load(config).footprint.weight_bytes + 10 * block_bytes
    monkeypatch.setattr("sterna.engine.load.free_memory_bytes", lambda: free_bytes)
    engine = AsyncEngine.load(replace(config, backend=backend, kv_dtype=kv_dtype))
    assert engine.stats().kv_blocks_total == 5
    assert engine.footprint.kv_cache_bytes == 5 * block_bytes


@pytest.mark.parametrize("setting", ["max_context_tokens", "kv_cache_tokens"])
def test_request_that_can_never_fit_is_refused(config: EngineConfig, setting: str) -> None:
    engine = AsyncEngine.load(replace(config, **{setting: 64}))  # type: ignore[arg-type]
    engine.check(60, 4)
    with pytest.raises(ContextLengthError, match="maximum context length is 64 tokens"):
        engine.check(60, 5)


def test_context_beyond_the_model_is_refused(config: EngineConfig) -> None:
    with pytest.raises(ConfigError, match="at most the model's 512, found 513"):
        AsyncEngine.load(replace(config, max_context_tokens=513))


def test_a_cache_beyond_all_memory_is_refused(
    config: EngineConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scripted: a real failure makes glibc use another heap, in all later tests too."""

    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("sterna.engine.kernels.backends.NativeProgram", fail)
    with pytest.raises(
        ConfigError, match="not enough memory for a cache of 64 tokens: lower kv_cache_tokens"
    ):
        AsyncEngine.load(replace(config, kv_cache_tokens=64))


def test_a_cache_beyond_the_free_memory_is_warned_of(
    config: EngineConfig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not refused: how much is free is an estimate, and the cache may never fill."""
    AsyncEngine.load(replace(config, kv_cache_tokens=64))
    assert not caplog.records
    monkeypatch.setattr("sterna.engine.load.free_memory_bytes", lambda: 0)
    AsyncEngine.load(replace(config, kv_cache_tokens=64))
    assert "lower kv_cache_tokens" in caplog.text


def test_unknown_instruction_set_is_refused(
    config: EngineConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the weights are loaded."""
    monkeypatch.delattr("sterna.engine.load.load_weights")
    monkeypatch.setenv("STERNA_ISA", "sse9")
    with pytest.raises(ConfigError, match=r"STERNA_ISA .*scalar here, found 'sse9'"):
        AsyncEngine.load(config)


def test_folder_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        AsyncEngine.load(EngineConfig(tmp_path))


def test_operations_are_those_of_the_network(config: EngineConfig) -> None:
    """Two layers of two heads of 16; a prompt of three tokens and one token more."""
    loaded = load_engine(config, EnergyMeter())
    weights, tensors = loaded.weights.config, loaded.weights.tensors
    loaded.core.add(Request("r", [1, 2, 3], SamplingParams(max_tokens=2, ignore_eos=True)))
    while loaded.core.has_work:
        loaded.core.step()
    operations = loaded.energy.operations
    assert operations is not None
    assert operations.linear == 4 * tensors.num_ternary
    assert operations.head == 2 * weights.vocab_size * weights.hidden_size
    assert operations.attention == (1 + 2 + 3 + 4) * 2 * weights.num_layers * weights.query_size
