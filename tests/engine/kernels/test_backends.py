"""A backend that cannot run here says so in one line, with the remedy."""

import sys
from typing import get_args

import pytest

from sterna.engine import config
from sterna.engine.kernels import BACKENDS, KVDtype, kv_head_bytes


def test_reference_without_torch_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not installed
    with pytest.raises(ValueError, match=r"^backend reference needs torch: pip install"):
        BACKENDS["reference"].check("cpu")


def test_native_computes_on_the_cpu_alone() -> None:
    BACKENDS["native"].check("cpu")
    with pytest.raises(ValueError, match=r"'cuda'.*choose backend reference"):
        BACKENDS["native"].check("cuda")


@pytest.mark.parametrize("device", ["tpu9", "cuda:99", "meta:x"])
def test_reference_refuses_a_device_that_torch_does_not_find(device: str) -> None:
    BACKENDS["reference"].check("cpu")
    with pytest.raises(ValueError, match=f"^device '{device}' cannot be used: ") as caught:
        BACKENDS["reference"].check(device)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("dtype", "num_bytes"), [("float16", 64), ("float32", 128), ("int8", 36)])
def test_bytes_of_a_head_in_the_cache(dtype: str, num_bytes: int) -> None:
    """A head of 32; int8 has a float32 scale."""
    assert kv_head_bytes(32, dtype) == num_bytes  # type: ignore[arg-type]


def test_the_kernels_types_of_a_cache_are_those_of_the_settings() -> None:
    """Kernels know nothing of the engine's configuration, so that each has its own list."""
    assert get_args(KVDtype) == get_args(config.KVDtype)
