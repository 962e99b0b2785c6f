"""What scheduling costs a step, with many requests running and many waiting.

    python -m benchmarks.scheduling [--running 256] [--waiting 1000] [--json]

No model: a step's tokens are made up. Requests end at different times and are replaced, so steps
admit, grow block tables, commit blocks and finish requests. ``input`` is the batch as arrays,
``sampling`` the parameters and random numbers of all rows.
"""

import json
import random
from argparse import ArgumentParser
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import count, islice
from statistics import median
from time import perf_counter
from typing import TypeVar

from sterna.engine.execution.model_input import build_step
from sterna.engine.execution.random_numbers import build_sampling
from sterna.engine.kernels import CACHE_TOKENS
from sterna.engine.requests.batch import SampledToken
from sterna.engine.requests.request import Request, SamplingParams
from sterna.engine.scheduling.kv_cache import KVCache
from sterna.engine.scheduling.scheduler import Scheduler

T = TypeVar("T")

STEPS = 300
CONTEXT_TOKENS = 1024


class Clock:
    """Seconds of each part, step by step."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)

    def time(self, part: str, work: Callable[[], T]) -> T:
        """Do the work and note how long it took."""
        start = perf_counter()
        result = work()
        self.seconds[part].append(perf_counter() - start)
        return result


def measure(num_running: int, num_waiting: int) -> dict[str, float]:
    """Return the median milliseconds of each part of a step."""
    rng = random.Random(0)
    blocks = num_running * CONTEXT_TOKENS // CACHE_TOKENS
    scheduler = Scheduler(KVCache(blocks, CACHE_TOKENS), 4 * num_running, num_running, 32)
    requests = (make_request(f"r{i}", rng) for i in count())
    while len(scheduler.running) < num_running:  # they start one by one, and so end
        _step(scheduler, Clock(), requests, num_waiting)
    clock = Clock()
    for _ in range(STEPS):
        _step(scheduler, clock, requests, num_waiting)
    return {part: 1e3 * median(seconds) for part, seconds in clock.seconds.items()}


def make_request(name: str, rng: random.Random) -> Request:
    """Make a request of 1 to 48 prompt tokens, and 200 to 600 output tokens."""
    prompt = [rng.randrange(128_000) for _ in range(rng.randint(1, 48))]
    params = SamplingParams(rng.randint(200, 600), temperature=0.7, top_p=0.9)
    return Request(name, prompt, params, seed=rng.getrandbits(64))


def _step(
    scheduler: Scheduler, clock: Clock, requests: Iterator[Request], num_waiting: int
) -> None:
    for request in islice(requests, num_waiting - len(scheduler.waiting)):
        scheduler.add(request)
    batch = clock.time("schedule", scheduler.schedule)
    clock.time("input", lambda: build_step(batch))
    sampling = [entry.request for entry in batch if entry.samples]
    clock.time("sampling", lambda: build_sampling(sampling))
    clock.time("update", lambda: scheduler.update(batch, [(SampledToken(7, 0.0),)] * len(sampling)))


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--running", type=int, default=256, help="default: 256")
    parser.add_argument("--waiting", type=int, default=1000, help="default: 1000")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    figures = measure(arguments.running, arguments.waiting)
    if arguments.json:
        print(json.dumps(figures))
        return
    for part, milliseconds in figures.items():
        print(f"{part:10} {milliseconds:7.3f} ms")
    print(f"{'scheduling':10} {figures['schedule'] + figures['update']:7.3f} ms")


if __name__ == "__main__":
    main()
