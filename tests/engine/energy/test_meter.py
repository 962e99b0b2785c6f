"""What the meter shows is charged, once, and to those who ran."""

import random

import pytest

from sterna.engine.energy.meter import EnergyMeter
from sterna.engine.energy.report import DomainEnergy
from sterna.engine.energy.track import PATIENCE_SECONDS
from sterna.engine.requests.batch import BatchEntry
from sterna.engine.requests.request import Request, SamplingParams
from tests.engine.energy.sources import FakeSource


class Bench:
    """A meter of one processor under a clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0
        self.source = FakeSource(package=5.0)
        self.meter = EnergyMeter([self.source], clock=lambda: self.now)

    def run(self, seconds: float, joules: float, *entries: BatchEntry) -> None:
        """Let time and energy pass with these computed, then read."""
        self.now += seconds
        self.source.grow(package=joules)
        if entries:
            self.meter.ledger.note(entries)
        self.meter.sample()

    @property
    def package(self) -> DomainEnergy:
        (found,) = self.meter.report().domains
        return found


@pytest.fixture
def bench() -> Bench:
    return Bench()


def make_request() -> Request:
    return Request("r", [1], SamplingParams(max_tokens=1))


def test_nothing_is_shown_before_a_counter_moves(bench: Bench) -> None:
    assert bench.meter.report().domains == ()
    assert bench.meter.report().basis.source is None
    bench.run(1.0, 3.0)
    assert bench.package.joules == 3.0
    assert bench.meter.report().basis.source == "rapl"


def test_idle_and_active_energy_are_apart(bench: Bench) -> None:
    bench.run(2.0, 10.0)
    bench.meter.ledger.note_work(True)
    bench.run(1.0, 50.0, BatchEntry(make_request(), 1))
    bench.meter.ledger.note_work(False)
    bench.run(1.0, 5.0)
    assert bench.package == DomainEnergy("package", "rapl", 65.0, 15.0, 5.0)


def test_a_reading_across_the_end_of_work_is_split_by_time(bench: Bench) -> None:
    bench.meter.ledger.note_work(True)
    bench.now += 3.0
    bench.meter.ledger.note_work(False)
    request = make_request()
    bench.run(1.0, 8.0, BatchEntry(request, 1))
    assert bench.package.idle_joules == 2.0
    assert request.energy.joules == 6.0


def test_active_energy_is_divided_by_tokens(bench: Bench) -> None:
    bench.meter.ledger.note_work(True)
    long, short = make_request(), make_request()
    bench.run(1.0, 40.0, BatchEntry(long, 9), BatchEntry(short, 1))
    bench.run(1.0, 10.0, BatchEntry(short, 1))
    assert long.energy.joules == pytest.approx(36.0)
    assert short.energy.joules == pytest.approx(14.0)


def test_energy_of_a_step_in_progress_waits_for_its_tokens(bench: Bench) -> None:
    bench.meter.ledger.note_work(True)
    request = make_request()
    bench.run(1.0, 10.0)
    bench.run(1.0, 10.0, BatchEntry(request, 4))
    assert request.energy.joules == 20.0


def test_shares_add_up_to_the_meter(bench: Bench) -> None:
    """Each charge rounds three times and is added once; so does each reading."""
    rng = random.Random(7)
    requests = [make_request() for _ in range(20)]
    bench.meter.ledger.note_work(True)
    num_charges = 0
    for _ in range(500):
        ran = rng.sample(requests, rng.randint(0, 8))
        num_charges += len(ran)
        bench.run(rng.random(), rng.random(), *(BatchEntry(r, rng.randint(1, 32)) for r in ran))
    bench.run(1.0, 1.0, BatchEntry(requests[0], 1))
    shares = sum(request.energy.joules for request in requests)
    active = bench.package.joules - bench.package.idle_joules
    assert active > 200
    tolerance = (4 * num_charges + 4 * 502) * 2.0**-53 * active
    assert abs(shares - active) <= tolerance


def test_sequences_may_share_one_account(bench: Bench) -> None:
    first, second = make_request(), make_request()
    second.energy = first.energy
    bench.meter.ledger.note_work(True)
    bench.run(1.0, 10.0, BatchEntry(first, 1), BatchEntry(second, 1))
    assert first.energy.joules == 10.0


def test_only_the_best_source_that_can_be_read_counts() -> None:
    rapl, zeusd = FakeSource("rapl"), FakeSource("zeusd")
    meter = EnergyMeter([rapl, zeusd])
    rapl.grow(package=1.0)
    zeusd.grow(package=1.0)
    meter.sample()
    assert [domain.source for domain in meter.report().domains] == ["rapl"]
    assert meter.report().processor_joules == 1.0
    rapl.error = "gone"
    zeusd.grow(package=4.0)
    meter.sample()
    joules = {domain.source: domain.joules for domain in meter.report().domains}
    assert joules == {"rapl": 1.0, "zeusd": 4.0}
    assert meter.report().basis.source == "zeusd"


def test_an_estimate_waits_until_the_counters_are_given_up() -> None:
    now = [0.0]
    rapl, estimate = FakeSource("rapl"), FakeSource("estimate")
    meter = EnergyMeter([rapl, estimate], clock=lambda: now[0])
    meter.ledger.note_work(True)
    now[0] += PATIENCE_SECONDS
    estimate.grow(package=10.0)
    meter.sample()
    assert meter.report().domains == ()
    now[0] += 1.0
    estimate.grow(package=3.0)
    meter.sample()
    assert [(d.source, d.joules) for d in meter.report().domains] == [("estimate", 3.0)]


def test_a_gpu_is_measured_and_charged_to_nobody() -> None:
    now = [0.0]
    cpu, gpu = FakeSource("rapl"), FakeSource("nvml", gpu=0.0)
    meter = EnergyMeter([cpu], [gpu], clock=lambda: now[0])
    request = make_request()
    meter.ledger.note_work(True)
    meter.ledger.note([BatchEntry(request, 1)])
    now[0] += 1.0
    cpu.grow(package=2.0)
    gpu.grow(gpu=100.0)
    meter.sample()
    assert request.energy.joules == 2.0
    assert meter.report().processor_joules == 2.0


def test_memory_counts_beside_the_package() -> None:
    source = FakeSource("rapl", package=0.0, dram=0.0)
    meter = EnergyMeter([source])
    source.grow(package=3.0, dram=1.0)
    meter.sample()
    assert {d.domain: d.joules for d in meter.report().domains} == {"package": 3.0, "dram": 1.0}


def test_memory_whose_counter_stays_at_zero_is_not_shown() -> None:
    source = FakeSource("rapl", package=0.0, dram=0.0)
    meter = EnergyMeter([source])
    source.grow(package=3.0)
    meter.sample()
    assert [d.domain for d in meter.report().domains] == ["package"]
    source.grow(dram=1.0)
    meter.sample()
    source.grow(package=1.0)
    meter.sample()
    assert {d.domain: d.joules for d in meter.report().domains} == {"package": 4.0, "dram": 1.0}


def test_every_source_says_how_it_is_doing() -> None:
    rapl = FakeSource("rapl")
    rapl.error = "no counters"
    report = EnergyMeter([rapl, FakeSource("zeusd")]).report()
    assert [(s.source, s.status, s.detail) for s in report.sources] == [
        ("rapl", "unavailable", "no counters"),
        ("zeusd", "waiting", "counters of zeusd"),
    ]
    assert "rapl: no counters (unavailable)" in report.basis.detail
    assert report.basis.label == "unavailable"
    assert str(report.basis).startswith("unavailable: rapl: no counters")
