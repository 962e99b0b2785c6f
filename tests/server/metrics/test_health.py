import httpx

from sterna.server.http.dependencies import Services
from tests.server.scraped import value


async def test_the_gauge_says_what_the_ready_route_does(
    client: httpx.AsyncClient, services: Services
) -> None:
    assert value(services, "sterna:ready") == 1
    services.health.stopping = True
    assert (await client.get("/health/ready")).status_code == 503
    assert value(services, "sterna:ready") == 0
