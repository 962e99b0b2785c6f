import pytest

from sterna.server.bench.load import Load
from sterna.server.bench.report import LoadFigures, Objective, ratios
from sterna.server.bench.trace import Trace

URL = "http://here"


def figures(
    *traces: Trace, seconds: float = 2.0, objective: Objective | None = None
) -> LoadFigures:
    return LoadFigures.of(URL, 1, Load(traces, seconds), objective or Objective())


def test_sums_and_percentiles() -> None:
    found = figures(Trace((0.1, 0.2, 0.5), 30), Trace((0.3, 0.7), 20))
    assert (found.requests, found.errors, found.output_tokens) == (2, {}, 50)
    assert found.output_tok_per_s == 25
    assert found.ttft_ms_p50 == pytest.approx(100)
    assert found.ttft_ms_p99 == pytest.approx(300)
    assert found.itl_ms_p50 == pytest.approx(300)  # of 100, 300 and 400
    assert found.itl_ms_p99 == pytest.approx(400)


def test_a_failed_request_counts_as_an_error_only() -> None:
    failed = [Trace(error="http 429"), Trace(error="http 429"), Trace(error="cut short")]
    found = figures(Trace((0.1, 0.2), 2), *failed)
    assert found.requests == 4
    assert found.errors == {"http 429": 2, "cut short": 1}
    assert found.output_tokens == 2
    assert found.goodput_req_per_s == 0.5


@pytest.mark.parametrize(
    ("trace", "is_met"),
    [
        (Trace((1.0, 1.1, 1.2), 3), True),
        (Trace((1.1, 1.2), 2), False),  # the first token is late
        (Trace((0.5, 0.55, 0.75), 3), False),  # 125 ms between tokens on average
        (Trace((0.5,), 1), True),
        (Trace((), 0), False),
        (Trace((0.5, 0.6), 2, error="cut short"), False),
    ],
)
def test_goodput_counts_requests_that_meet_both_objectives(trace: Trace, is_met: bool) -> None:
    objective = Objective(ttft_seconds=1.0, itl_ms=101.0)
    assert objective.is_met(trace) is is_met
    assert figures(trace, objective=objective).goodput_req_per_s == (0.5 if is_met else 0)


def test_without_an_answer_there_are_no_latencies() -> None:
    found = figures(Trace(error="ConnectError"))
    assert found.ttft_ms_p50 is None
    assert found.itl_ms_p99 is None
    assert found.output_tok_per_s == 0


def test_ratios_divide_the_first_by_the_second() -> None:
    fast, slow = figures(Trace((0.1, 0.2), 8)), figures(Trace((0.4, 0.6), 2))
    found = ratios(fast, slow)
    assert found["clients"] == 1
    assert found["output_tok_per_s"] == 4
    assert found["ttft_ms_p50"] == pytest.approx(0.25)
    assert found["itl_ms_p50"] == pytest.approx(0.5)
    assert ratios(fast, figures(Trace(error="x")))["output_tok_per_s"] is None


def test_loads_add_up() -> None:
    load = Load() + Load([Trace((0.1,), 1)], 1.0) + Load([Trace((0.2,), 1)], 2.0)
    assert load.seconds == 3
    assert [trace.ttft_seconds for trace in load.traces] == [0.1, 0.2]
