"""The Helm chart, rendered without a cluster: what Kubernetes would be told."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from sterna.server.settings import Settings, variable

pytestmark = pytest.mark.deploy

CHART = Path(__file__).parents[2] / "deploy/helm/sterna"
KUBERNETES = "1.33"
FOREIGN = {  # the kinds of KEDA and the Prometheus operator, and models made of their definitions
    "ScaledObject": "cloudcoil.models.keda.v1alpha1",
    "ServiceMonitor": "cloudcoil.models.prometheus_operator.v1",
}
Values = dict[str, Any]
VALUE_SETS: dict[str, Values] = {
    "default": {},
    "hpa": {"autoscaling": {"by": "hpa"}},
    "everything": {
        "image": {"repository": "registry.example/sterna", "pullSecrets": [{"name": "registry"}]},
        "model": "microsoft/bitnet-b1.58-2B-4T",
        "settings": {"max_context_tokens": 4000000, "ping_seconds": 2.5, "kv_dtype": "int8"},
        "extraEnv": [
            {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}
        ],
        "apiKey": {"existingSecret": "sterna-keys"},
        "cache": {"persistent": True, "accessMode": "ReadWriteMany", "storageClassName": "nfs"},
        "autoscaling": {"by": "keda"},
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "podAnnotations": {"example.com/a": "b"},
        "podLabels": {"team": "c"},
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"key": "cpu", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
    },
}


def render(values: Values, name: str = "demo") -> dict[str, Values]:
    """All manifests by kind."""
    from helm_python import Chart

    with Chart.load(CHART) as chart:
        chart.validate_schema(values)
        rendered = chart.render(values, name=name, namespace="models")
    texts = (text for path, text in rendered.items() if path.endswith(".yaml"))
    manifests = [found for text in texts for found in yaml.safe_load_all(text) if found]
    assert len({manifest["kind"] for manifest in manifests}) == len(manifests)
    return {manifest["kind"]: manifest for manifest in manifests}


def pod(values: Values) -> Values:
    spec: Values = render(values)["Deployment"]["spec"]["template"]["spec"]
    return spec


def container(values: Values) -> Values:
    (found,) = pod(values)["containers"]
    assert isinstance(found, dict)
    return found


def environment(values: Values) -> dict[str, str]:
    return {entry["name"]: entry.get("value", "") for entry in container(values)["env"]}


@pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)
def test_chart_passes_lint(values: Values) -> None:
    from helm_python import lint

    report = lint(CHART, values, strict=True)
    assert report["errors"] == []
    assert [m["error"] for m in report["messages"] if "icon" not in m["error"]] == []


@pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)
def test_manifests_are_what_kubernetes_accepts(values: Values) -> None:
    import kubernetes_validate

    for kind, manifest in render(values).items():
        if kind not in FOREIGN:
            kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


@pytest.mark.parametrize("kind", FOREIGN)
def test_manifests_are_what_operators_accept(kind: str) -> None:
    """The models check types, and drop fields that they do not know."""
    manifest = render(VALUE_SETS["everything"])[kind]
    model = getattr(import_module(FOREIGN[kind]), kind)
    read = model.model_validate(manifest)
    assert read.model_dump(mode="json", by_alias=True, exclude_unset=True) == manifest


@pytest.mark.parametrize(
    "values",
    [
        {"cpus": 1.5},
        {"replica": 2},
        {"memory": "lots"},
        {"settings": {"port": 80}},
        {"settings": {"api_key": "in plain sight"}},
        {"autoscaling": {"by": "guess"}},
        {"termination": {"drainSeconds": -1}},
    ],
    ids=str,
)
def test_bad_values_are_refused(values: Values) -> None:
    from helm_python import HelmError

    with pytest.raises(HelmError):
        render(values)


def test_replicas_on_several_nodes_need_a_volume_that_several_can_mount() -> None:
    from helm_python import HelmError

    with pytest.raises(HelmError, match="ReadWriteMany"):
        render({"replicas": 2, "cache": {"persistent": True}})


def test_cpus_are_whole_and_guaranteed() -> None:
    resources = container({"cpus": 8, "memory": "6Gi"})["resources"]
    assert resources["requests"] == resources["limits"] == {"cpu": 8, "memory": "6Gi"}


def test_termination_outlasts_sleep_and_drain() -> None:
    values: Values = {"termination": {"sleepSeconds": 7, "drainSeconds": 90}}
    command = container(values)["lifecycle"]["preStop"]["exec"]["command"]
    drain = int(environment(values)["STERNA_SHUTDOWN_SECONDS"])
    assert command == ["sleep", "7"]
    assert pod(values)["terminationGracePeriodSeconds"] > 7 + drain


def test_probes_ask_the_routes_for_them() -> None:
    found = container({})
    assert found["startupProbe"]["httpGet"]["path"] == "/health/live"
    assert found["livenessProbe"]["httpGet"]["path"] == "/health/live"
    assert found["readinessProbe"]["httpGet"]["path"] == "/health/ready"


def test_startup_may_take_as_long_as_the_values_say() -> None:
    probe = container({"probes": {"startupSeconds": 601}})["startupProbe"]
    assert probe["failureThreshold"] * probe["periodSeconds"] >= 601


def test_pod_has_no_rights_and_writes_only_to_volumes() -> None:
    spec, found = pod({}), container({})
    assert spec["securityContext"]["runAsNonRoot"]
    assert not spec["automountServiceAccountToken"]
    assert found["securityContext"]["readOnlyRootFilesystem"]
    assert found["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {mount["mountPath"] for mount in found["volumeMounts"]} == {"/cache", "/tmp"}


def test_settings_become_variables_that_the_server_reads() -> None:
    found = environment(VALUE_SETS["everything"])
    ours = {name: value for name, value in found.items() if name.startswith("STERNA_")}
    assert set(ours) <= {variable(name) for name in Settings.model_fields}
    settings = Settings.load({}, ours | {"STERNA_API_KEY": "kept-in-a-secret"})
    assert settings.model == "microsoft/bitnet-b1.58-2B-4T"
    assert settings.max_context_tokens == 4000000
    assert settings.ping_seconds == 2.5
    assert settings.kv_dtype == "int8"


def test_the_key_comes_from_a_secret_and_nowhere_else() -> None:
    assert "STERNA_API_KEY" not in environment({})
    (found,) = (
        entry
        for entry in container({"apiKey": {"existingSecret": "keys", "key": "k"}})["env"]
        if entry["name"] == "STERNA_API_KEY"
    )
    assert found == {
        "name": "STERNA_API_KEY",
        "valueFrom": {"secretKeyRef": {"name": "keys", "key": "k"}},
    }


def test_service_links_do_not_overwrite_settings() -> None:
    """A Service called sterna would put STERNA_PORT=tcp://... into every pod."""
    assert pod({})["enableServiceLinks"] is False


@pytest.mark.parametrize("by", ["hpa", "keda"])
def test_autoscaling_counts_waiting_requests_and_owns_the_replicas(by: str) -> None:
    manifests = render({"autoscaling": {"by": by, "waitingRequests": 3}})
    kind = {"hpa": "HorizontalPodAutoscaler", "keda": "ScaledObject"}[by]
    assert "vllm:num_requests_waiting" in str(manifests[kind]["spec"])
    assert manifests[kind]["spec"]["scaleTargetRef"]["name"] == "demo-sterna"
    assert "replicas" not in manifests["Deployment"]["spec"]


def test_selectors_find_the_pods() -> None:
    manifests = render(VALUE_SETS["everything"])
    labels = manifests["Deployment"]["spec"]["template"]["metadata"]["labels"]
    for kind in ("Deployment", "PodDisruptionBudget"):
        assert manifests[kind]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    service = manifests["Service"]
    assert service["spec"]["selector"].items() <= labels.items()
    monitored = manifests["ServiceMonitor"]["spec"]["selector"]["matchLabels"]
    assert monitored.items() <= service["metadata"]["labels"].items()


def test_a_release_named_after_the_chart_is_not_named_twice() -> None:
    assert render({}, name="sterna")["Service"]["metadata"]["name"] == "sterna"
