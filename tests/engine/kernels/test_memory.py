"""Memory that is reserved for the cache and for activations is not resident before it is used."""

import os
import subprocess
import sys

import pytest

# A process of its own, as what is resident depends on what has been freed before: malloc keeps it.
CREATE = """
import sys
import numpy as np
from sterna.engine.kernels import BACKENDS, AttentionShape
from sterna.engine.machine.process_memory import ProcessMemory

cos = np.ones((4096, 64), np.float32)
shape = AttentionShape(30, 20, 5, 128, 2048, cos, cos, sys.argv[1])
for size in range(1 << 20, 32 << 20, 1 << 20):
    np.ones(size, np.uint8)  # freed at once, like what is read while a model loads
before = ProcessMemory.read().anonymous_bytes
program = BACKENDS["native"].make_program(shape, 2, 256, 64)
print(program.kv_cache_bytes, ProcessMemory.read().anonymous_bytes - before)
"""
ROTARY_BYTES = 2 * 4096 * 64 * 4


@pytest.mark.skipif(
    "libtsan" in os.environ.get("LD_PRELOAD", ""), reason="its notes of each thread are resident"
)
@pytest.mark.parametrize("kv_dtype", ["float16", "float32", "int8"])
def test_an_untouched_cache_is_not_resident(kv_dtype: str) -> None:
    command = [sys.executable, "-c", CREATE, kv_dtype]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    reserved, resident = map(int, output.split())
    assert reserved > 1 << 30
    assert resident < ROTARY_BYTES + (4 << 20)  # the program's copy; threads and small buffers
