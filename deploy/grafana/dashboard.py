"""A dashboard as a whole: its variables, its links to the others, its rows."""

from collections.abc import Sequence
from dataclasses import dataclass

from deploy.grafana.panels import DATASOURCE, Json, Row, place

# What a family of vLLM's is filtered by, and one of ours, which has no model's name.
VLLM = 'model_name="$model_name", instance=~"$instance"'
OURS = 'instance=~"$instance"'


def rate(name: str, labels: str = VLLM) -> str:
    """A counter's growth a second."""
    return f"rate({name}{{{labels}}}[$__rate_interval])"


def quantile(q: float, name: str) -> str:
    """A quantile of a histogram of vLLM's, over all servers."""
    return f"histogram_quantile({q}, sum by (le) ({rate(f'{name}_bucket')}))"


def mean(name: str) -> str:
    """Mean of a histogram of vLLM's, over all servers."""
    return f"sum({rate(f'{name}_sum')}) / sum({rate(f'{name}_count')})"


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One file in ``dashboards``. variables: further ones, as (name, label, query)."""

    uid: str
    title: str
    description: str
    rows: Sequence[Row]
    variables: Sequence[tuple[str, str, str]] = ()

    def json(self) -> Json:
        """What Grafana provisions."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": ["sterna"],
            "schemaVersion": 39,
            "version": 1,
            "editable": True,
            "graphTooltip": 1,
            "refresh": "10s",
            "time": {"from": "now-30m", "to": "now"},
            "timezone": "browser",
            "links": [_link_to_siblings()],
            "templating": {"list": self._variables()},
            "annotations": {"list": []},
            "panels": list(place(self.rows)),
        }

    def _variables(self) -> list[Json]:
        source: Json = {
            "name": "datasource", "label": "Data source", "type": "datasource",
            "query": "prometheus", "hide": 0, "refresh": 1, "regex": "",
            "options": [], "multi": False, "includeAll": False,
        }  # fmt: skip
        running = "vllm:num_requests_running"
        of_model = f'label_values({running}{{model_name="$model_name"}}, instance)'
        return [
            source,
            _variable("model_name", "Model", f"label_values({running}, model_name)"),
            _variable("instance", "Server", of_model) | {"multi": True, "includeAll": True},
            *(_variable(*variable) for variable in self.variables),
        ]


def _variable(name: str, label: str, query: str) -> Json:
    return {
        "name": name, "label": label, "type": "query", "datasource": DATASOURCE,
        "query": {"query": query, "refId": f"variable-{name}"},
        "hide": 0, "refresh": 2, "regex": "", "sort": 1, "options": [],
        "multi": False, "includeAll": False,
    }  # fmt: skip


def _link_to_siblings() -> Json:
    return {
        "title": "Sterna", "type": "dashboards", "tags": ["sterna"], "asDropdown": False,
        "includeVars": True, "keepTime": True, "targetBlank": False, "icon": "external link",
        "tooltip": "", "url": "",
    }  # fmt: skip
