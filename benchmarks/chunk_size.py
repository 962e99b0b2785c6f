"""What the size of prompt chunks does to streams, prompts and throughput, by simulation.

    python -m benchmarks.chunk_size [--clients 16] [--prompt-tokens 64] [--output-tokens 64]

The real scheduler, closed-loop clients, and a clock that a step moves on by a fixed time (weights
are read) and a time for each token (they are multiplied). The defaults are about those of the
2B-4T shape on two cores with AVX-512 VNNI: 33 tokens/s for one stream, 400 tokens/s of prompts.
"""

from argparse import ArgumentParser, Namespace
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

from sterna.engine.config import EngineConfig
from sterna.engine.kernels import CACHE_TOKENS
from sterna.engine.requests.batch import SampledToken
from sterna.engine.requests.request import Request, SamplingParams
from sterna.engine.scheduling.kv_cache import KVCache
from sterna.engine.scheduling.scheduler import Scheduler

CHUNKS = (16, 24, 32, 48, 64, 128, 256)
REQUESTS_PER_CLIENT = 6
CACHE_BLOCKS = 100_000 // CACHE_TOKENS


class Simulation:
    """Clients that each wait for an answer and then ask again."""

    def __init__(self, arguments: Namespace, max_chunk_tokens: int) -> None:
        self._arguments = arguments
        defaults = EngineConfig(Path())
        self._scheduler = Scheduler(
            KVCache(CACHE_BLOCKS, CACHE_TOKENS),
            defaults.max_batch_tokens,
            defaults.max_batch_requests,
            max_chunk_tokens,
        )
        self._num_requests = 0
        self._arrivals: dict[Request, float] = {}
        self._times: defaultdict[Request, list[float]] = defaultdict(list)
        self.now = 0.0

    def run(self) -> None:
        """Run until all clients have had all of their answers."""
        for _ in range(self._arguments.clients):
            self._ask()
        while self._scheduler.running or self._scheduler.waiting:
            self._step()

    @property
    def first_token_seconds(self) -> list[float]:
        """Seconds from the arrival of each request to its first token."""
        return [times[0] - self._arrivals[request] for request, times in self._times.items()]

    @property
    def pause_seconds(self) -> list[float]:
        """Seconds between every two tokens of a request."""
        return [b - a for t in self._times.values() for a, b in pairwise(t)]

    @property
    def tokens_per_second(self) -> float:
        """Output tokens of all clients over the whole time."""
        return sum(map(len, self._times.values())) / self.now

    def _ask(self) -> None:
        arguments, number = self._arguments, self._num_requests
        if number == arguments.clients * REQUESTS_PER_CLIENT:
            return
        self._num_requests += 1
        prompt = [number, *range(1, arguments.prompt_tokens)]  # none shares a prefix
        request = Request(f"r{number}", prompt, SamplingParams(arguments.output_tokens))
        self._arrivals[request] = self.now
        self._scheduler.add(request)

    def _step(self) -> None:
        batch = self._scheduler.schedule()
        num_tokens = sum(entry.num_tokens for entry in batch)
        self.now += (self._arguments.step_ms + self._arguments.token_ms * num_tokens) / 1e3
        num_sampled = sum(entry.samples for entry in batch)
        for request, _, end in self._scheduler.update(
            batch, [(SampledToken(7, 0.0),)] * num_sampled
        ):
            self._times[request].append(self.now)
            if end:
                self._ask()


def quantile(values: list[float], share: float) -> float:
    """Return the value that this share of the values does not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main() -> None:
    """Parse the arguments, simulate, print."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, default=16, help="default: 16")
    parser.add_argument("--prompt-tokens", type=int, default=64, help="default: 64")
    parser.add_argument("--output-tokens", type=int, default=64, help="default: 64")
    parser.add_argument("--step-ms", type=float, default=28.0, help="default: 28")
    parser.add_argument("--token-ms", type=float, default=2.5, help="default: 2.5")
    arguments = parser.parse_args()
    print("chunk   pause p50, p99    ratio   first token p50, p99   tokens/s")
    for chunk in CHUNKS:
        simulation = Simulation(arguments, chunk)
        simulation.run()
        pauses, firsts = simulation.pause_seconds, simulation.first_token_seconds
        half, most = quantile(pauses, 0.5), quantile(pauses, 0.99)
        print(
            f"{chunk:5} {1e3 * half:6.0f} {1e3 * most:6.0f} ms {most / half:7.2f} "
            f"{quantile(firsts, 0.5):9.2f} {quantile(firsts, 0.99):7.2f} s "
            f"{simulation.tokens_per_second:10.1f}"
        )


if __name__ == "__main__":
    main()
