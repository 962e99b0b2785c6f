"""Kernels: bytes in, bytes out. Chooses the backend and the instruction set, by name.

``STERNA_ISA`` forces an instruction set of the native backend; see ``supported_isas``.
"""

import os

from sterna.engine.kernels import _native
from sterna.engine.kernels.int8_table import Int8Table, pack_int8_table
from sterna.engine.kernels.native import NativeProgram
from sterna.engine.kernels.packing import PackedTernary, pack_ternary, unpack_ternary
from sterna.engine.kernels.program import AttentionShape, KVDtype, Program, QuantizedRows, Rows
from sterna.engine.kernels.reference_program import ReferenceProgram
from sterna.engine.kernels.step import BANNED, CACHE_TOKENS, Logprobs, Sampling, Step

__all__ = [
    "BANNED",
    "CACHE_TOKENS",
    "AttentionShape",
    "Int8Table",
    "KVDtype",
    "Logprobs",
    "NativeProgram",
    "PackedTernary",
    "Program",
    "QuantizedRows",
    "ReferenceProgram",
    "Rows",
    "Sampling",
    "Step",
    "chosen_isa",
    "create_program",
    "pack_int8_table",
    "pack_ternary",
    "supported_isas",
    "unpack_ternary",
]

supported_isas = _native.supported_isas


def chosen_isa() -> str:
    """Return the native backend's instruction set: by ``STERNA_ISA``, else the best of this CPU.

    Raises ValueError for one that this CPU or build cannot run.
    """
    supported = supported_isas()
    isa = os.environ.get("STERNA_ISA") or supported[0]
    if isa not in supported:
        raise ValueError(f"STERNA_ISA must be one of {', '.join(supported)} here, found {isa!r}")
    return isa


def create_program(
    backend: str, attention: AttentionShape, num_threads: int, max_tokens: int, max_logits: int
) -> Program:
    """Make an empty program of the backend "native" or "reference".

    max_tokens, max_logits: the largest T and S of a step. Raises ValueError for an unknown
    backend, or as ``chosen_isa`` does.
    """
    if backend == "reference":
        return ReferenceProgram(attention, num_threads)
    if backend == "native":
        return NativeProgram(attention, num_threads, max_tokens, max_logits, chosen_isa())
    raise ValueError(f"unknown backend {backend!r}; known: native, reference")
