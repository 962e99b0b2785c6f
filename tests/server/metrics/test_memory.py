import asyncio
import resource

import httpx
import pytest

from sterna.engine import ProcessMemory
from sterna.server.http.dependencies import Services
from tests.server.scraped import value
from tests.server.scripted import FOOTPRINT, NUM_BLOCKS, ScriptedModel
from tests.server.waiting import step, until

BLOCK_BYTES = FOOTPRINT.kv_cache_bytes // NUM_BLOCKS


def memory(services: Services, kind: str) -> float | None:
    return value(services, "sterna:memory_bytes", kind=kind)


def test_facts_of_the_engine_are_shown_and_unknown_ones_left_out(services: Services) -> None:
    assert memory(services, "weights_packed") == FOOTPRINT.weight_bytes
    assert memory(services, "weights_fp16_equivalent") == FOOTPRINT.fp16_weight_bytes
    assert memory(services, "head") == FOOTPRINT.head_bytes
    assert memory(services, "kv_pool") == FOOTPRINT.kv_cache_bytes
    assert memory(services, "scratch") is None


async def test_blocks_of_the_cache_are_used_and_shared(
    client: httpx.AsyncClient, services: Services, model: ScriptedModel
) -> None:
    """A prompt of five tokens, the first four in the cache: a block for both, and one for each."""
    body = {"model": "scripted", "prompt": "Once"}
    await client.post("/v1/completions", json=body)
    await until(lambda: memory(services, "kv_used") == 0)
    model.is_open = False
    asking = asyncio.create_task(client.post("/v1/completions", json=body | {"n": 2}))
    while services.model.engine.stats().num_running < 2:
        await step(services.model.engine, model)
    assert memory(services, "kv_shared") == BLOCK_BYTES
    assert memory(services, "kv_used") == 3 * BLOCK_BYTES
    model.allow(1000)
    await asking


def test_the_process_is_measured(services: Services) -> None:
    resident, peak = memory(services, "resident"), memory(services, "resident_peak")
    assert resident is not None
    assert peak is not None
    assert 0 < (memory(services, "resident_anonymous") or 0) < resident <= peak
    limit = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert abs(peak - limit) <= 0.1 * limit  # both are the kernel's, some microseconds apart


@pytest.mark.parametrize("limit", [None, 4000])
def test_the_limit_of_a_control_group_is_shown_where_there_is_one(
    services: Services, monkeypatch: pytest.MonkeyPatch, limit: int | None
) -> None:
    monkeypatch.setattr(ProcessMemory, "read", lambda: ProcessMemory(1000, 2000, 3000, limit))
    assert memory(services, "cgroup_limit") == limit
    assert memory(services, "resident_peak") == 3000
