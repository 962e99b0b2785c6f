"""Which replica a request should go to, so that a shared prefix meets its cache. Pure functions.

Nothing is remembered. A request has a key, and each key puts the replicas into an order of its own
(rendezvous hashing). So several fronts agree without talking, and when a replica comes or goes,
only the keys that were or will be its own move.
"""

import json
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

from deploy.ray.http_message import HttpRequest

SESSION_HEADER = "x-session-id"
PREFIX_CHARACTERS = 512  # of a plain prompt; a chat's opening counts whole
PREFIX_TOKENS = 128  # of a prompt that comes as token ids


def affinity_key(request: HttpRequest) -> str | None:
    """What requests with the same beginning have in common; None: any replica will do.

    The session that a header names. Else a chat's opening: tools, system prompt and messages up to
    the first of the user, which stay the same in all of its turns. Else a prompt's beginning.
    """
    if session := request.header(SESSION_HEADER):
        return f"session {session}"
    try:
        body = json.loads(request.body)
        opening = _opening(body) if isinstance(body, dict) else None
        return json.dumps(opening, sort_keys=True) if opening else None
    except (ValueError, RecursionError):  # too deeply nested: the replica refuses it
        return None


def _opening(body: Mapping[str, Any]) -> object:
    return _chat_opening(body) or _beginning(body.get("prompt"))


def _chat_opening(body: Mapping[str, Any]) -> list[Any]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return []
    users = (i for i, m in enumerate(messages) if isinstance(m, dict) and m.get("role") == "user")
    end = next(users, len(messages) - 1) + 1
    return [body.get("tools"), body.get("system"), *messages[:end]]


def _beginning(prompt: object) -> object:
    if isinstance(prompt, str):
        return prompt[:PREFIX_CHARACTERS]
    if isinstance(prompt, list) and prompt and isinstance(prompt[0], str | list):
        return _beginning(prompt[0])
    return prompt[:PREFIX_TOKENS] if isinstance(prompt, list) else None


def order_by_key(key: str, replica_ids: Sequence[str]) -> list[str]:
    """All replicas, the home of the key first, then where to go instead."""

    def weight(replica_id: str) -> bytes:
        return blake2b(f"{replica_id}\0{key}".encode(), digest_size=8).digest()

    return sorted(replica_ids, key=weight, reverse=True)


def choose_order(key: str | None, loads: Mapping[str, int], max_imbalance: int) -> list[str]:
    """All replicas in the order in which a request should try them.

    loads: requests that are under way at each. A replica with more than ``max_imbalance`` beyond
    the least busy one is passed over, and comes after the others. Without a key: least busy first.
    """
    by_load = sorted(loads, key=lambda replica_id: loads[replica_id])
    if key is None or not by_load:
        return by_load
    limit = loads[by_load[0]] + max_imbalance
    order = order_by_key(key, list(loads))
    return [r for r in order if loads[r] <= limit] + [r for r in by_load if loads[r] > limit]
