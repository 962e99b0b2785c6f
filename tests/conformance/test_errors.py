"""What is wrong is refused, in the shape that clients read, and not served half."""

from typing import Any

import httpx
import openai
import pytest

from tests.conformance.conftest import Json

MESSAGES: list[Json] = [{"role": "user", "content": "Hi"}]


def check_error(response: httpx.Response, *statuses: int) -> None:
    assert response.status_code in statuses, response.text
    error = response.json()["error"]
    assert isinstance(error["message"], str)
    assert "type" in error


@pytest.mark.parametrize(
    "fields",
    [{"messages": None}, {"messages": "text"},
     {"max_tokens": "many"}, {"temperature": "hot"}],
    ids=str,
)  # fmt: skip
def test_wrong_fields(http: httpx.Client, model: str, fields: dict[str, Any]) -> None:
    body = {"model": model, "messages": MESSAGES, "max_tokens": 2} | fields
    check_error(http.post("chat/completions", json=body), 400, 422)


def test_no_json(http: httpx.Client) -> None:
    headers = {"content-type": "application/json"}
    response = http.post("chat/completions", content=b"{", headers=headers)
    check_error(response, 400, 422)


def test_no_such_url(http: httpx.Client) -> None:
    check_error(http.get("no/such/url"), 404)


def test_an_error_is_one_of_the_client_s_own(client: openai.OpenAI, model: str) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": "Hi"}],
            extra_body={"max_tokens": "x"},
        )
    assert 400 <= caught.value.status_code < 500


def test_more_than_the_context_is_refused(http: httpx.Client, model: str) -> None:
    """Not cut off in silence; contexts beyond a million tokens are not tried."""
    messages = [{"role": "user", "content": "far too long " * 80_000}]
    response = http.post("chat/completions", json={"model": model, "messages": messages})
    check_error(response, 400, 413, 422)


def test_the_server_lives(http: httpx.Client, model: str) -> None:
    """After all that."""
    body = {"model": model, "messages": MESSAGES, "max_tokens": 2}
    assert http.post("chat/completions", json=body).status_code == 200
