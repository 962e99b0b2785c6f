"""``/v1/models``."""

import httpx

from tests.server.scripted import MAX_CONTEXT


async def test_all_names_are_listed(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/v1/models")).json()
    assert listed["object"] == "list"
    assert [model["id"] for model in listed["data"]] == ["scripted", "alias/of-it"]
    assert listed["data"][0]["object"] == "model"
    assert listed["data"][0]["max_model_len"] == MAX_CONTEXT


async def test_one_model_is_found_by_name(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/models/alias/of-it")).json()["id"] == "alias/of-it"


async def test_a_name_that_is_not_ours(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/models/other")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"
