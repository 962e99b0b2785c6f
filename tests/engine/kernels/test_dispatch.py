"""The instruction set that computes is the one that the processor has, or that was asked for."""

from pathlib import Path

import numpy as np
import pytest

from sterna.engine.kernels import BACKENDS, AttentionShape, _native, supported_isas

CPUINFO = Path("/proc/cpuinfo")
ISA_FOLDER = Path(__file__).parents[3] / "engine/kernels/csrc/isa"
SHAPE = AttentionShape(1, 1, 1, 4, 1, *np.ones((2, 16, 2), np.float32))


@pytest.mark.skipif(not CPUINFO.exists(), reason="only Linux states the processor's flags here")
def test_what_the_processor_has_is_supported_best_first() -> None:
    """Compilers' own detection can answer false for everything, and only speed would tell."""
    stated = next((x for x in CPUINFO.read_text().splitlines() if x.startswith("flags")), "")
    flags = set(stated.split())
    expected = [isa for isa, needs in _native.known_isas() if flags.issuperset(needs)]
    assert supported_isas() == expected


def test_every_file_of_an_instruction_set_is_built_or_left_out_for_the_compiler_alone() -> None:
    known = [isa for isa, _ in _native.known_isas()]
    assert known[-1] == "scalar"
    assert set(known) <= {path.stem for path in ISA_FOLDER.glob("*.cpp")}


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
