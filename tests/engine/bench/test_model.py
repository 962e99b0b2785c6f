"""``sterna bench model`` measures steps whose parts add up, against limits of the same run."""

from dataclasses import replace
from pathlib import Path

import pytest

from sterna.engine.bench import limits
from sterna.engine.bench.energy import EnergyProbe, WorkEnergy, joules_per_token
from sterna.engine.bench.model import BATCH_SIZES, bench_model
from sterna.engine.bench.stepper import Stepper
from sterna.engine.config import EngineConfig
from sterna.engine.energy.meter import EnergyMeter
from sterna.engine.synth.checkpoint import synthesize_checkpoint
from tests.engine.energy.powercap import FakePowercap
from tests.engine.energy.sources import FakeSource


@pytest.fixture(autouse=True)
def small_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_PROBE_BYTES", 1 << 20)
    monkeypatch.setattr(limits, "_ROUNDS", 100)


@pytest.fixture
def config(tmp_path: Path) -> EngineConfig:
    synthesize_checkpoint("tiny", tmp_path / "model")
    return EngineConfig(
        model_path=tmp_path / "model",
        cache_dir=tmp_path,
        kv_cache_tokens=8192,
        num_threads=2,
        powercap_dir=tmp_path / "powercap",
        zeusd=str(tmp_path / "zeusd.sock"),
    )


def test_the_report_accounts_for_a_step(config: EngineConfig) -> None:
    report = bench_model(config).to_dict()
    assert (report["head"], report["kv_dtype"]) == ("int8", "float16")
    assert [rate["batch"] for rate in report["decode"]] == list(BATCH_SIZES)
    for rate in (report["prefill"], *report["decode"]):
        assert rate["tok_per_s"] > 0
        assert rate["fraction"] > 0
        assert rate["roofline_tok_per_s"] > 0
        assert rate["joules_per_token"] is None, "the folder of counters does not exist"
        assert rate["energy_source"] == "unavailable"
    assert report["energy"].startswith("unavailable: rapl: ")
    assert set(report["overhead_ms_per_step"]) == {"1", "16"}
    assert report["load_seconds"] > 0
    assert report["rss_mb"] > 0
    for step in report["steps"]:
        parts = [value for key, value in step.items() if key not in ("step", "total")]
        assert all(part >= 0 for part in parts)
        assert sum(parts) > 0  # not the total: on a busy machine the medians are of other steps


def test_a_step_has_to_read_the_head_that_is_used(config: EngineConfig) -> None:
    stepper, plain = Stepper(config), Stepper(replace(config, head="bf16"))
    weights = stepper.loaded.weights
    difference = plain.prefill(16).num_bytes - stepper.prefill(16).num_bytes
    assert difference == weights.head_bytes("bf16") - weights.head_bytes("int8") > 0


def test_joules_per_token_name_their_source(config: EngineConfig, tmp_path: Path) -> None:
    """Each work takes three joules."""
    tree = FakePowercap(tmp_path / "powercap")
    tree.add("intel-rapl:0", "package-0")
    stepper = Stepper(config)
    total = 0

    def step_and_burn() -> None:
        nonlocal total
        total += 3_000_000
        tree.set("intel-rapl:0", total)

    works = [stepper._time(step_and_burn)[3] for _ in range(4)]
    assert [work.joules for work in works] == [3.0] * 4
    assert joules_per_token(works, 24) == (0.5, "rapl")


def test_counters_that_did_not_move_are_no_figure() -> None:
    still, moved = WorkEnergy(0.0, "rapl"), WorkEnergy(3.0, "rapl")
    assert joules_per_token([still, still], 24) == (None, "rapl")
    assert joules_per_token([still, moved], 24) == (0.125, "rapl")
    assert joules_per_token([moved, WorkEnergy(None, "unavailable")], 24) == (None, "unavailable")


def test_joules_of_two_sources_are_not_added() -> None:
    rapl, zeusd = FakeSource("rapl"), FakeSource("zeusd")
    probe = EnergyProbe(EnergyMeter([rapl, zeusd]))
    rapl.grow(package=1.0)
    start = probe.start()
    rapl.grow(package=2.0)
    assert probe.end(start) == WorkEnergy(2.0, "rapl")
    rapl.error = "gone"
    zeusd.grow(package=4.0)
    assert probe.end(start) == WorkEnergy(None, "zeusd")
