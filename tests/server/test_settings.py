"""Options win over variables over defaults, and a bad value is one line that names both."""

from pathlib import Path

import pytest

from sterna.engine import ConfigError
from sterna.server.settings import Settings, option, variable


def test_an_option_wins_over_a_variable_over_a_default() -> None:
    environment = {"STERNA_PORT": "9000", "STERNA_HOST": "0.0.0.0", "STERNA_BACKEND": ""}
    settings = Settings.load({"port": "9001", "model": None}, environment)
    assert (settings.port, settings.host, settings.backend) == (9001, "0.0.0.0", "native")
    assert settings.model is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "tcp://10.0.0.1:8000"),  # what Kubernetes sets beside a service named sterna
        ("port", "65536"),
        ("max_batch_tokens", "0"),
        ("threads", "two"),
        ("backend", "cuda"),
        ("kv_dtype", "fp8"),
        ("head", "int4"),
        ("log_level", "loud"),
    ],
)
def test_a_bad_value_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.load({}, {variable(name): value})
    message = str(caught.value)
    assert option(name) in message
    assert variable(name) in message
    assert repr(value) in message
    assert "\n" not in message


def test_names_are_split_at_commas() -> None:
    settings = Settings.load({"served_model_name": "one,org/two"}, {})
    assert settings.served_model_name == ("one", "org/two")


def test_packed_weights_go_to_the_cache_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert Settings.load({}, {}).cache_dir == Path("/caches/sterna")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert Settings.load({}, {}).cache_dir == Path.home() / ".cache/sterna"
    assert Settings.load({}, {"STERNA_CACHE_DIR": "/own"}).cache_dir == Path("/own")


def test_every_setting_is_described() -> None:
    assert all(field.description for field in Settings.model_fields.values())
