import pytest

from benchmarks.monitoring.units import decades, ticks, written


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0, "s", "0 s"),
        (0.0123, "s", "12.3 ms"),
        (2.5, "s", "2.5 s"),
        (3.2e-7, "joule", "320 nJ"),
        (41.26, "watt", "41.3 W"),
        (1536.0, "bytes", "1.5 KiB"),
        (0.725, "percentunit", "72.5 %"),
        (12.1, "suffix: x", "12.1 x"),
        (12_345.0, "short", "12.3 K"),
        (float("nan"), "s", "-"),
    ],
)
def test_a_value_is_written_with_its_unit(value: float, unit: str, text: str) -> None:
    assert written(value, unit) == text


@pytest.mark.parametrize("most", [0.0, 1e-6, 0.7, 1.0, 3.3, 99.0, 1e9])
@pytest.mark.parametrize("unit", ["short", "bytes"])
def test_ticks_begin_at_zero_and_reach_the_most(most: float, unit: str) -> None:
    marks = ticks(most, unit)
    assert marks[0] == 0
    assert marks[-1] >= most * 0.999
    assert 2 <= len(marks) <= 7


def test_decades_enclose_the_values() -> None:
    assert decades(2e-7, 5e-6) == pytest.approx([1e-7, 1e-6, 1e-5])
