"""Alert rules: promtool's own checks and unit tests, and a real Prometheus that evaluates them."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from benchmarks.monitoring.watched import ALERTS, Watched

pytestmark = pytest.mark.dashboards

FOLDER = ALERTS.parent
LIMIT_SECONDS = 120.0
RULES = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def promtool(*arguments: str) -> str:
    if not shutil.which("promtool"):
        pytest.skip("needs promtool: apt-get install --no-install-recommends prometheus")
    ran = subprocess.run(
        ["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_config_and_rules_are_valid() -> None:
    promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", "--lint=all", "--lint-fatal", "alerts.yml")


def test_rules_fire_when_they_should() -> None:
    promtool("test", "rules", "alerts_test.yml")


def test_every_rule_has_a_test_that_fires_it() -> None:
    tests = yaml.safe_load((FOLDER / "alerts_test.yml").read_text())["tests"]
    fired = {
        case["alertname"]
        for test in tests
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    assert fired == {rule["alert"] for rule in RULES}


@pytest.mark.parametrize("name", ["time_to_first_token", "inter_token_latency"])
def test_latency_bounds_are_bounds_of_buckets(name: str, seen: Watched) -> None:
    (rule,) = (rule for rule in RULES if f"{name}_seconds_bucket" in rule["expr"])
    bound = float(rule["expr"].split(">")[-1])
    samples = seen.query(f"vllm:{name}_seconds_bucket")
    assert bound in {float(sample["metric"]["le"]) for sample in samples}


def test_a_prometheus_evaluates_them_all(seen: Watched) -> None:
    rules = seen.prometheus.alerts()
    assert {rule["name"] for rule in rules} == {rule["alert"] for rule in RULES}
    assert all(rule["health"] == "ok" for rule in rules)
    critical = {rule["name"] for rule in rules if rule["labels"]["severity"] == "critical"}
    deadline = time.monotonic() + LIMIT_SECONDS  # scrapes may fail while the machine is busy
    while {rule["name"] for rule in seen.prometheus.alerts() if rule["alerts"]} & critical:
        assert time.monotonic() < deadline
        time.sleep(1)


def test_provisioning_finds_prometheus_and_the_dashboards() -> None:
    provisioning = Path("deploy/grafana/provisioning")
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yaml").read_text())[
        "datasources"
    ]
    assert source["type"] == "prometheus"
    (provider,) = yaml.safe_load((provisioning / "dashboards/sterna.yaml").read_text())["providers"]
    compose = Path("deploy/compose.yaml")
    if compose.exists():
        services = yaml.safe_load(compose.read_text())["services"]
        assert source["url"].split("/")[2].split(":")[0] in services
        assert any(provider["options"]["path"] in mount for mount in services["grafana"]["volumes"])
