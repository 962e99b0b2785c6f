import random

from sterna.engine.requests.request import Request, SamplingParams
from sterna.engine.scheduling.ranked_requests import RankedRequests


def test_requests_stay_in_order_whatever_comes_and_goes() -> None:
    rng = random.Random(0)
    ranked, there = RankedRequests(), set[Request]()
    for i in range(500):
        if rng.random() < 0.6:
            rank = (float(rng.randrange(5)), i)
            request = Request(str(i), [1], SamplingParams(1), rank=rank)
            ranked.add(request)
            there.add(request)
        elif there and rng.random() < 0.5:
            gone = rng.choice(sorted(there, key=lambda r: r.rank))
            ranked.discard(gone)
            ranked.discard(gone)
            there.remove(gone)
            assert gone not in ranked
        elif there:
            last = ranked.pop_last()
            assert last is max(there, key=lambda r: r.rank)
            there.remove(last)
        assert list(ranked) == sorted(there, key=lambda r: r.rank)
        assert len(ranked) == len(there)
        assert all(request in ranked for request in there)
    assert ranked.first is min(there, key=lambda r: r.rank)
