"""How a test waits for what other threads do: until it is so, never for a time.

Each of them may be held up for seconds at its worst moment, on a machine that is busy or paused.
"""

import asyncio
from collections.abc import Callable

from sterna.engine import AsyncEngine, EngineStats
from tests.server.scripted import LIMIT_SECONDS, ScriptedModel


async def until(condition: Callable[[], bool]) -> None:
    """Raise TimeoutError if it never comes true."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while not condition():
            await asyncio.sleep(0.001)


async def step(engine: AsyncEngine, model: ScriptedModel) -> None:
    """Let one step of a closed model pass; return when it holds the next, or has nothing to do.

    By then the engine has obeyed what it was told before, and its stats say so.
    """
    await until(lambda: model.is_holding)
    before = engine.stats().num_steps
    model.allow()
    await until(lambda: engine.stats().num_steps > before)
    await until(lambda: model.is_holding or is_empty(engine.stats()))


def is_empty(stats: EngineStats) -> bool:
    """Whether nothing of any request is left."""
    return (stats.num_running, stats.num_waiting, stats.kv_blocks_used) == (0, 0, 0)


def num_submitted(engine: AsyncEngine) -> int:
    """Requests whose readers wait for more; unlike the stats, it runs ahead of the engine."""
    return len(engine._streams._open)
