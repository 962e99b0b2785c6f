"""The documents for operators name every setting and every alert.

A failure prints the lines that belong there.
"""

import re
from pathlib import Path

import yaml

from sterna.server.settings import Settings, metavar, option, variable

ROOT = Path(__file__).parents[1]
OPERATIONS = (ROOT / "docs/operations.md").read_text()
MONITORING = (ROOT / "docs/monitoring.md").read_text()


def row(name: str) -> str:
    """Return the row of one setting."""
    field = Settings.model_fields[name]
    has_none = field.default_factory or field.default in (None, ())
    default = "" if has_none else str(field.default).lower()
    shown = "MODEL" if name == "model" else f"{option(name)} {metavar(name)}"
    return f"| `{shown}` | `{variable(name)}` | {default} | {field.description} |"


def test_every_setting_is_listed_as_it_is_and_no_other() -> None:
    listed = re.findall(r"^\| `(?:MODEL|--[^`]+)` \|.*\|$", OPERATIONS, re.MULTILINE)
    true = [row(name) for name in Settings.model_fields]
    message = "\n".join(["docs/operations.md, table of settings, must be:", *true])
    assert listed == true, message


def test_every_alert_is_explained() -> None:
    groups = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    explained = set(re.findall(r"^\| `(Sterna\w+)` \|", MONITORING, re.MULTILINE))
    assert alerts == explained
