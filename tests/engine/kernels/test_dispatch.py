"""The instruction set that computes is the one that the processor has, or that was asked for."""

from pathlib import Path

import numpy as np
import pytest

from sterna.engine.kernels import BACKENDS, AttentionShape, supported_isas

FLAGS = {
    "avx2": {"avx2", "fma", "f16c"},
    "avxvnni": {"avx2", "fma", "f16c", "avx_vnni"},
    "avx512vnni": {"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512_vnni"},
    "avx512vbmi": {"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512_vnni", "avx512vbmi"},
}
CPUINFO = Path("/proc/cpuinfo")
SHAPE = AttentionShape(1, 1, 1, 4, 1, *np.ones((2, 16, 2), np.float32))


@pytest.mark.skipif(not CPUINFO.exists(), reason="only Linux states the processor's flags here")
def test_what_the_processor_has_is_supported_best_first() -> None:
    """Compilers' own detection can answer false for everything, and only speed would tell."""
    stated = next((x for x in CPUINFO.read_text().splitlines() if x.startswith("flags")), "")
    found = {isa for isa, flags in FLAGS.items() if flags <= set(stated.split())}
    best_first = ("avx512vbmi", "avx512vnni", "avxvnni", "avx2")
    expected = [isa for isa in best_first if isa in found] + ["scalar"]
    assert supported_isas() == expected


@pytest.mark.parametrize("isa", supported_isas())
def test_a_forced_instruction_set_is_active(isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STERNA_ISA", isa)
    assert BACKENDS["native"].make_program(SHAPE, 1, 1, 1).isa == isa


def test_the_best_is_chosen_when_none_is_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STERNA_ISA", raising=False)
    assert BACKENDS["native"].make_program(SHAPE, 1, 1, 1).isa == supported_isas()[0]


def test_an_unknown_instruction_set_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STERNA_ISA", "mmx")
    with pytest.raises(ValueError, match="mmx"):
        BACKENDS["native"].make_program(SHAPE, 1, 1, 1)
