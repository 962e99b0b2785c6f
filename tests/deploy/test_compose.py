"""deploy/compose.yaml without a daemon: parsed, and what it points at is there."""

import re
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from sterna.server.settings import Settings, variable

ROOT = Path(__file__).parents[2]
PATH = ROOT / "deploy/compose.yaml"
TEXT = PATH.read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
NAMES = sorted(SERVICES)


def bind_mounts(service: dict[str, Any]) -> list[str]:
    return [volume for volume in service["volumes"] if volume.startswith((".", "/"))]


@pytest.mark.parametrize("name", NAMES)
def test_mounts_exist_and_are_read_only(name: str) -> None:
    for volume in bind_mounts(SERVICES[name]):
        source, _, mode = volume.split(":")
        assert (PATH.parent / source).exists(), source
        assert mode == "ro"


@pytest.mark.parametrize("name", NAMES)
def test_named_volumes_are_declared(name: str) -> None:
    used = {volume.split(":")[0] for volume in SERVICES[name]["volumes"]}
    assert {source for source in used if source[0] not in "./"} <= set(COMPOSE["volumes"])


@pytest.mark.parametrize("name", NAMES)
def test_ports_are_open_on_this_machine_alone(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name]["ports"])


@pytest.mark.parametrize("name", NAMES)
def test_containers_cannot_change_themselves(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"sterna"}))  # whose image is built here
def test_images_are_pinned_and_checked(name: str) -> None:
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", SERVICES[name]["image"])
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


def test_dependencies_that_must_be_healthy_tell_their_health() -> None:
    for service in SERVICES.values():
        for name, needs in service.get("depends_on", {}).items():
            assert name in SERVICES
            assert needs["condition"] != "service_healthy" or "healthcheck" in SERVICES[name]


def test_prometheus_scrapes_the_service_at_the_port_that_it_publishes() -> None:
    scraped = yaml.safe_load((PATH.parent / "prometheus/prometheus.yml").read_text())
    (job,) = scraped["scrape_configs"]
    (port,) = SERVICES["sterna"]["ports"]
    assert job["static_configs"] == [{"targets": [f"sterna:{port.rpartition(':')[2]}"]}]


def test_prometheus_finds_all_files_that_it_reads() -> None:
    mounted = {volume.split(":")[1] for volume in bind_mounts(SERVICES["prometheus"])}
    config = next(o for o in SERVICES["prometheus"]["command"] if o.startswith("--config.file="))
    path = PurePosixPath(config.partition("=")[2])
    rules = yaml.safe_load((PATH.parent / "prometheus/prometheus.yml").read_text())["rule_files"]
    assert {str(path), *(str(path.parent / rule) for rule in rules)} <= mounted


def test_nobody_can_log_in_with_a_password_that_all_know() -> None:
    grafana = SERVICES["grafana"]["environment"]
    assert grafana["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert grafana["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert not re.search(r"password", TEXT, re.IGNORECASE)


def test_settings_are_settings_of_the_server() -> None:
    given = SERVICES["sterna"]["environment"]
    assert set(given) <= {variable(name) for name in Settings.model_fields}


def test_a_stop_leaves_time_to_drain() -> None:
    sterna = SERVICES["sterna"]
    grace = int(sterna["stop_grace_period"].removesuffix("s"))
    assert grace > int(sterna["environment"]["STERNA_SHUTDOWN_SECONDS"])
