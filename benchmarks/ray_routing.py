"""What prefix-aware routing gives: the share of prompt tokens that are found in a cache.

    unshare --map-root-user --net sh -c 'ip link set lo up && python -m benchmarks.ray_routing'

Two replicas of the built-in model on a local Ray cluster; chats of several turns, all at once, each
with an opening of its own. Both routers take turns, each time with empty caches. The share does not
depend on how fast the machine is. Prints a table, then one JSON object.
"""

import asyncio
import json
import tempfile
from argparse import ArgumentParser, Namespace
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from benchmarks.ray_cluster import LIMIT_SECONDS, URL, RayCluster, ray_cluster

ROUTERS = ("prefix", "balanced")
ANIMALS = ("fox", "hen", "owl", "cat", "dog", "pig", "cow", "bee", "ant", "elk", "emu", "yak")
OPENING = "Tell me a story about a young {} who lives near the {} and wants to see the {}."


async def chat(http: httpx.AsyncClient, number: int, turns: int, max_tokens: int) -> None:
    """Hold one conversation; each turn sends all that was said before."""
    animal, other = ANIMALS[number % 12], ANIMALS[(number // 12 + 1) % 12]
    opening = OPENING.format(animal, other, f"{number} hills")
    messages = [{"role": "user", "content": opening}]
    for turn in range(turns):
        body = {"model": "sterna-builtin", "messages": messages, "max_tokens": max_tokens}
        answer = await http.post("/v1/chat/completions", json=body)
        said = answer.raise_for_status().json()["choices"][0]["message"]["content"]
        messages.append({"role": "assistant", "content": said})
        messages.append({"role": "user", "content": f"What did the {animal} do on day {turn}?"})


async def hold_chats(arguments: Namespace) -> None:
    """Hold all conversations at once."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=URL, timeout=LIMIT_SECONDS, limits=limits) as http:
        chats = (
            chat(http, number, arguments.turns, arguments.max_tokens)
            for number in range(arguments.chats)
        )
        await asyncio.gather(*chats)


def measure(cluster: RayCluster, routing: str, arguments: Namespace) -> dict[str, Any]:
    """One run with one router and empty caches."""
    cluster.deploy(replicas=2, routing=routing)
    asyncio.run(hold_chats(arguments))
    hits, queries = (
        cluster.counter(f"vllm:prefix_cache_{name}_total") for name in ("hits", "queries")
    )
    return {
        "routing": routing,
        "hit_rate": sum(hits.values()) / sum(queries.values()),
        "prompt_tokens": sum(queries.values()),
        "share_of_the_busier": max(queries.values()) / sum(queries.values()),
    }


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--chats", type=int, default=24, help="default: 24")
    parser.add_argument("--turns", type=int, default=5, help="default: 5")
    parser.add_argument("--max-tokens", type=int, default=32, help="of an answer; default: 32")
    parser.add_argument("--runs", type=int, default=3, help="with each router; default: 3")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ray_cluster(Path(folder)) as cluster:
        runs = [measure(cluster, r, arguments) for _ in range(arguments.runs) for r in ROUTERS]
    print("routing     found in a cache   prompt tokens at the busier replica")
    for router in ROUTERS:
        own = [run for run in runs if run["routing"] == router]
        found = median(run["hit_rate"] for run in own)
        busier = median(run["share_of_the_busier"] for run in own)
        print(f"{router:10} {found:17.3f} {busier:37.3f}")
    print(json.dumps({"chats": arguments.chats, "turns": arguments.turns, "results": runs}))


if __name__ == "__main__":
    main()
