from pathlib import Path
from typing import Any

import pytest

from sterna.engine.config import EngineConfig
from sterna.engine.errors import ConfigError


def test_defaults_are_valid() -> None:
    assert EngineConfig(Path("model")).max_batch_tokens == 256


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_batch_tokens": 0}, "max_batch_tokens must be at least 1, found 0"),
        ({"num_threads": -1}, "num_threads must be at least 1, found -1"),
        ({"max_batch_tokens": 8, "max_batch_requests": 9}, "max_batch_requests"),
        ({"energy_period_seconds": 0.0}, "energy_period_seconds must be greater than 0, found 0.0"),
        ({"idle_watts": 9.0}, "idle_watts must be between 0 and tdp_watts \\(None\\), found 9.0"),
        ({"tdp_watts": 8.0, "idle_watts": 9.0}, "\\(8.0\\), found 9.0"),
        ({"backend": "fast"}, "backend must be one of native, reference, found 'fast'"),
        ({"kv_dtype": "fp8"}, "kv_dtype must be one of float16, float32, int8, found 'fp8'"),
    ],
)
def test_nonsense_is_refused_in_one_line(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        EngineConfig(Path("model"), **settings)
    assert "\n" not in str(caught.value)
