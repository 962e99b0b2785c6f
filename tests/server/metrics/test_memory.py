import resource

from server.dependencies import Services
from tests.server.scraped import value


def memory(services: Services, kind: str) -> float | None:
    return value(services, "sterna:memory_bytes", kind=kind)


def test_facts_of_the_engine_are_shown_and_unknown_ones_left_out(services: Services) -> None:
    assert memory(services, "weights_packed") == 1000
    assert memory(services, "kv_pool") == 2000
    assert memory(services, "scratch") is None


def test_the_process_is_measured(services: Services) -> None:
    resident, peak = memory(services, "resident"), memory(services, "resident_peak")
    assert resident is not None
    assert peak is not None
    assert 0 < (memory(services, "resident_anonymous") or 0) < resident <= peak
    limit = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert abs(peak - limit) <= 0.1 * limit  # both are the kernel's, some microseconds apart
