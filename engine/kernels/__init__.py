"""Kernels: bytes in, bytes out. The public names; ``backends`` chooses what computes."""

from sterna.engine.kernels.arrays import Codes, Floats, Ints, Table, narrow, widen
from sterna.engine.kernels.backends import (
    BACKENDS,
    chosen_isa,
    kv_head_bytes,
    supported_isas,
)
from sterna.engine.kernels.int8_table import Int8Table, pack_int8_table
from sterna.engine.kernels.native import NativeProgram
from sterna.engine.kernels.packing import PackedTernary, pack_ternary, unpack_ternary
from sterna.engine.kernels.program import AttentionShape, KVDtype, Program, QuantizedRows, Rows
from sterna.engine.kernels.step import BANNED, CACHE_TOKENS, Logprobs, Sampling, Step

__all__ = [
    "BACKENDS",
    "BANNED",
    "CACHE_TOKENS",
    "AttentionShape",
    "Codes",
    "Floats",
    "Int8Table",
    "Ints",
    "KVDtype",
    "Logprobs",
    "NativeProgram",
    "PackedTernary",
    "Program",
    "QuantizedRows",
    "Rows",
    "Sampling",
    "Step",
    "Table",
    "chosen_isa",
    "kv_head_bytes",
    "narrow",
    "pack_int8_table",
    "pack_ternary",
    "supported_isas",
    "unpack_ternary",
    "widen",
]
