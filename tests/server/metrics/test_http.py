import httpx

from sterna.server.http.dependencies import Services
from tests.server.scraped import value

ROUTE = "/v1/models/{model_id:path}"


async def test_http_requests_are_counted_by_route(
    client: httpx.AsyncClient, services: Services
) -> None:
    await client.get("/v1/models/alias/of-it")
    await client.get("/no/such/path")
    ours = {"method": "GET", "route": ROUTE, "status": "200"}
    assert value(services, "sterna:http_requests_total", **ours) == 1
    ours = {"method": "GET", "route": "unknown", "status": "404"}
    assert value(services, "sterna:http_requests_total", **ours) == 1


async def test_http_requests_are_counted_as_the_instrumentator_does(
    client: httpx.AsyncClient, services: Services
) -> None:
    await client.get("/v1/models/alias/of-it")
    await client.get("/no/such/path")
    handler = {"method": "GET", "handler": ROUTE}
    assert value(services, "http_requests_total", **handler, status="2xx") == 1
    assert value(services, "http_request_duration_seconds_count", **handler) == 1
    assert value(services, "http_request_duration_highr_seconds_count") == 2


async def test_probes_are_counted_by_status_alone(
    client: httpx.AsyncClient, services: Services
) -> None:
    """As in vLLM: a server that drains would else show a share of 5xx that no client saw."""
    for url in ("/health/ready", "/metrics"):
        await client.get(url)
        ours = {"method": "GET", "route": url, "status": "200"}
        assert value(services, "sterna:http_requests_total", **ours) == 1
        theirs = {"method": "GET", "handler": url}
        assert value(services, "http_requests_total", **theirs, status="2xx") is None
        assert value(services, "http_request_duration_seconds_count", **theirs) is None
    assert value(services, "http_request_duration_highr_seconds_count") == 0


async def test_a_method_that_a_client_makes_up_is_no_label(
    client: httpx.AsyncClient, services: Services
) -> None:
    await client.request("MADEUP", "/health")
    ours = {"method": "other", "route": "/health", "status": "405"}
    assert value(services, "sterna:http_requests_total", **ours) == 1
