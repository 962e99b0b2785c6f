"""One server under load that a Prometheus has watched for a while. Skipped where there is none."""

import asyncio
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from benchmarks.monitoring.load import load
from benchmarks.monitoring.watched import Watched, watched

CLIENTS = (0, 4, 32, 32, 8)
PHASE_SECONDS = 6.0


@pytest.fixture(scope="session")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Its queries look at the time when the load was about to end."""
    if not shutil.which("prometheus"):
        pytest.skip("needs Prometheus: apt-get install --no-install-recommends prometheus")
    with watched(tmp_path_factory.mktemp("watched")) as running:
        asyncio.run(load(running.url, running.model, CLIENTS, PHASE_SECONDS))
        yield replace(running, at=time.time() - 2)
