"""Settings decide which sources there are; where none can be read, each says why."""

from pathlib import Path

from sterna.engine.config import EngineConfig
from sterna.engine.energy.build import build_meter
from sterna.engine.energy.report import SourceStatus
from tests.engine.energy.powercap import FakePowercap


def sources(folder: Path, **settings: float) -> list[SourceStatus]:
    """Of a machine with a counter that may be read, but without a daemon."""
    FakePowercap(folder / "powercap").add("intel-rapl:0", "package-0")
    places = {"powercap_dir": folder / "powercap", "zeusd": str(folder / "zeusd.sock")}
    config = EngineConfig(Path("model"), **places, **settings)  # type: ignore[arg-type]
    return list(build_meter(config).report().sources)


def test_sources_are_asked_best_first_at_the_places_that_settings_name(tmp_path: Path) -> None:
    rapl, zeusd, nvml = sources(tmp_path)
    assert (rapl.source, zeusd.source, nvml.source) == ("rapl", "zeusd", "nvml")
    assert (rapl.status, zeusd.status) == ("waiting", "unavailable")
    assert str(tmp_path / "powercap") in rapl.detail
    assert str(tmp_path / "zeusd.sock") in zeusd.detail


def test_an_estimate_is_made_only_where_a_design_power_is_given(tmp_path: Path) -> None:
    found = {source.source: source for source in sources(tmp_path, tdp_watts=65, idle_watts=5)}
    assert list(found) == ["rapl", "zeusd", "estimate", "nvml"]
    assert found["estimate"].detail.startswith("estimated: CPU time x TDP of 65 W, idle 5 W")
