"""Time limits of tests: the default is in pyproject.toml, these kinds may take longer."""

from collections.abc import Iterable
from typing import Final

import pytest

LIMIT_SECONDS: Final = {
    "slow": 900,
    "deploy": 900,
    "dashboards": 900,
    "eval": 1800,
    "image": 1800,
    "ray": 1800,
    "wheel": 1800,
}


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    for item in items:
        limits = [LIMIT_SECONDS.get(marker.name, 0) for marker in item.iter_markers()]
        if (limit := max(limits, default=0)) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(limit))
