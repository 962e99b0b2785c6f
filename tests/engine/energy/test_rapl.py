"""RAPL on fake trees: no machine with real counters was at hand."""

from pathlib import Path
from typing import Any

import pytest

from sterna.engine.energy.rapl import RaplSource
from sterna.engine.energy.source import SourceError
from tests.engine.energy.powercap import RANGE_UJ, FakePowercap


@pytest.fixture
def tree(tmp_path: Path) -> FakePowercap:
    """A machine with two packages."""
    tree = FakePowercap(tmp_path / "powercap")
    tree.add("intel-rapl:0", "package-0", 1_000_000)
    tree.add("intel-rapl:1", "package-1", 7_000_000)
    return tree


@pytest.fixture
def source(tree: FakePowercap) -> RaplSource:
    """Reads that machine, and has done so once."""
    source = RaplSource(tree.root)
    source.read()
    return source


def test_packages_are_added_up_from_the_first_reading(
    tree: FakePowercap, source: RaplSource
) -> None:
    tree.set("intel-rapl:0", 3_500_000)
    tree.set("intel-rapl:1", 8_000_000)
    assert source.read() == {"package": 2.5 + 1.0}


def test_a_counter_that_wraps_goes_on(tree: FakePowercap, source: RaplSource) -> None:
    tree.set("intel-rapl:0", RANGE_UJ - 250_000)
    before = source.read()["package"]
    tree.set("intel-rapl:0", 750_000)
    assert source.read()["package"] - before == pytest.approx(1.0)
    tree.set("intel-rapl:0", 750_001)
    assert source.read()["package"] - before == pytest.approx(1.000001)


def test_a_counter_that_is_reset_has_not_wrapped(tree: FakePowercap, source: RaplSource) -> None:
    """Else 300 joules of a machine that has slept would be 1000."""
    tree.set("intel-rapl:0", 300_000_000)
    before = source.read()["package"]
    tree.set("intel-rapl:0", 40)
    assert source.read()["package"] == before
    tree.set("intel-rapl:0", 2_000_040)
    assert source.read()["package"] - before == pytest.approx(2.0)


def test_dies_of_a_package_are_added_up(tmp_path: Path) -> None:
    tree = FakePowercap(tmp_path)
    for die in (0, 1):
        tree.add(f"intel-rapl:{die}", f"package-0-die-{die}")
    source = RaplSource(tree.root)
    source.read()
    tree.set("intel-rapl:0", 1_000_000)
    tree.set("intel-rapl:1", 2_000_000)
    assert source.read() == {"package": 3.0}


def test_zones_that_overlap_count_once(tree: FakePowercap) -> None:
    """A package contains its cores and uncore; psys and the mmio twin contain the package."""
    overlapping = {
        "intel-rapl:0:0": "core",
        "intel-rapl:0:1": "uncore",
        "intel-rapl:2": "psys",
        "intel-rapl-mmio:0": "package-0",
    }
    for zone, name in overlapping.items():
        tree.add(zone, name)
    tree.add("intel-rapl:0:2", "dram")
    tree.add("intel-rapl:1:0", "dram")
    source = RaplSource(tree.root)
    source.read()
    for zone in [*overlapping, "intel-rapl:0:2", "intel-rapl:1:0", "intel-rapl:0"]:
        tree.set(zone, 9_000_000)
    assert source.read() == {"package": 8.0, "dram": 18.0}


def test_memory_is_a_domain_only_where_it_has_a_zone(source: RaplSource) -> None:
    assert set(source.read()) == {"package"}


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nowhere does not exist.*container"):
        RaplSource(tmp_path / "nowhere").read()


def test_psys_alone_is_not_measured(tmp_path: Path) -> None:
    tree = FakePowercap(tmp_path)
    tree.add("intel-rapl:0", "psys")
    with pytest.raises(SourceError, match="no zone for a CPU package"):
        RaplSource(tree.root).read()


def test_a_counter_that_may_not_be_read_says_what_to_do(
    tree: FakePowercap, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests may run as root, who may read everything: so the refusal is made."""
    read_text = Path.read_text

    def refuse(path: Path, *args: Any) -> str:
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return read_text(path, *args)

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(SourceError, match=r"energy_uj is not readable.*zeusd"):
        RaplSource(tree.root).read()


def test_a_counter_that_vanishes_and_comes_back_starts_anew(
    tree: FakePowercap, source: RaplSource
) -> None:
    """What it did meanwhile is not known; half of the packages would be no measurement."""
    tree.remove("intel-rapl:1")
    with pytest.raises(SourceError, match=r"intel-rapl:1/energy_uj: No such file"):
        source.read()
    tree.set("intel-rapl:1", 5_000_000)
    assert source.read() == {"package": 0.0}
    tree.set("intel-rapl:1", 6_000_000)
    assert source.read() == {"package": 1.0}


def test_a_counter_that_holds_no_number_is_refused(tree: FakePowercap) -> None:
    (tree.root / "intel-rapl:0" / "energy_uj").write_text("<empty>")
    with pytest.raises(SourceError, match="contains '<empty>', expected a number"):
        RaplSource(tree.root).read()
