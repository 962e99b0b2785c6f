"""The published figures, from the papers' own counts (arXiv 2504.12285, table 1)."""

import pytest

from sterna.engine.energy.arithmetic import ENERGIES, ArithmeticModel
from sterna.engine.energy.operations import Operations

TOKENS = 512  # of the pass that the table is about


def as_published(linear: float, layers: int, width: int) -> Operations:
    """Count as the papers do: attention over the full square, and no head."""
    return Operations(round(linear * TOKENS), 0, layers * 2 * TOKENS**2 * width)


def test_the_published_energy_of_bitnet_2b() -> None:
    joules = ArithmeticModel("7nm").ternary(as_published(2084.0e6, 30, 2560))
    assert joules.linear == pytest.approx(0.0075, abs=5e-5)
    assert joules.attention == pytest.approx(0.0201, abs=5e-5)
    assert round(joules.linear + joules.attention, 3) == 0.028


@pytest.mark.parametrize(
    ("linear", "layers", "width", "published"),
    [
        (973.1e6, 16, 2048, 0.258),  # LLaMA 3.2 1B
        (697.8e6, 26, 1024, 0.186),  # Gemma 3 1B
        (1310.2e6, 28, 1536, 0.347),  # Qwen 2.5 1.5B
        (1610.6e6, 24, 2048, 0.425),  # SmolLM2 1.7B
        (2441.9e6, 40, 2304, 0.649),  # MiniCPM 2B
    ],
)
def test_the_published_energies_in_fp16(
    linear: float, layers: int, width: int, published: float
) -> None:
    joules = ArithmeticModel("7nm").fp16(as_published(linear, layers, width))
    assert round(joules.linear + joules.attention, 3) == published


def test_the_published_ratio_of_a_ternary_product() -> None:
    """71.4 times less: a multiplication and an addition in FP16 against an addition in int8."""
    model, operations = ArithmeticModel("7nm"), Operations(linear=10**9)
    ratio = model.fp16(operations).linear / model.ternary(operations).linear
    assert round(ratio, 1) == 71.4


def test_the_head_takes_what_its_type_takes() -> None:
    operations = Operations(head=10**12)
    energy = ENERGIES["45nm"]
    int8 = ArithmeticModel("45nm", head_is_int8=True).ternary(operations)
    bf16 = ArithmeticModel("45nm", head_is_int8=False).ternary(operations)
    assert int8.head == pytest.approx(energy.mul_int8 + energy.add_int8)
    assert bf16.head == ArithmeticModel("45nm").fp16(operations).head == pytest.approx(1.5)
