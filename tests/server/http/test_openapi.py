"""``/openapi.json`` says all that can happen, and whatever it allows to be sent breaks nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest
import schemathesis
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    negative_data_rejection,
    positive_data_acceptance,
    unsupported_method,
)

from sterna.server.settings import Settings
from tests.server.scripted import (
    LIMIT_SECONDS,
    ScriptedModel,
    make_app,
    make_engine,
    make_settings,
    says,
)
from tests.server.serving import serve_in_thread

NOT_ASKED = [positive_data_acceptance, negative_data_rejection, unsupported_method]


@pytest.fixture(scope="module")
def api(folder: Path) -> Iterator[Any]:
    engine = make_engine(ScriptedModel(says("Hello there!")))
    with serve_in_thread(make_app(folder, make_settings(folder), engine)) as url:
        document = schemathesis.openapi.from_url(f"{url}/openapi.json")
        document.config.generation.allow_x00 = False
        yield document


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize("num_examples", [12, pytest.param(300, marks=pytest.mark.slow)])
def test_no_request_has_an_answer_that_is_not_documented(
    api: Any, mode: GenerationMode, num_examples: int
) -> None:
    """Neither those that fit the document nor those that don't; and none has a 5xx.

    Only sense is not asked for: no schema says what fits a context.
    """
    settings = hypothesis.settings(
        max_examples=num_examples, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    for operation in (result.ok() for result in api.get_all_operations()):

        @settings
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        def check(case: Any) -> None:
            case.call_and_validate(excluded_checks=NOT_ASKED, timeout=LIMIT_SECONDS)

        if mode.is_positive or operation.body:
            check()


async def test_what_is_answered_to_errors_is_documented(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    for path in ("/v1/chat/completions", "/v1/completions"):
        responses = paths[path]["post"]["responses"]
        assert set(responses) == {*["200", "400", "404", "408", "413", "429", "431", "500", "503"]}
        assert set(responses["200"]["content"]) == {"application/json", "text/event-stream"}
    assert "404" in paths["/v1/models/{model_id}"]["get"]["responses"]
    assert all("422" not in op["responses"] for ops in paths.values() for op in ops.values())


class TestKeys:
    @pytest.fixture
    def settings(self, folder: Path) -> Settings:
        return make_settings(folder, api_key="secret")

    async def test_keys_are_documented(self, client: httpx.AsyncClient) -> None:
        headers = {"authorization": "Bearer secret"}
        document = (await client.get("/openapi.json", headers=headers)).json()
        paths = document["paths"]
        assert "401" in paths["/metrics"]["get"]["responses"]
        assert "401" not in paths["/health/live"]["get"]["responses"]
        assert paths["/v1/models"]["get"]["security"] == [{"bearer": []}, {"header": []}]
        assert set(document["components"]["securitySchemes"]) == {"bearer", "header"}
