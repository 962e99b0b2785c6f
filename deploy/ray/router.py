"""Ray Serve's request router that keeps what shares a prefix on one replica, within bounds.

Its state is Serve's own: how many requests each replica has, as far as this caller knows. The
choice itself is in ``affinity``.
"""

from ray.serve.request_router import PendingRequest, RequestRouter, RunningReplica

from deploy.ray.affinity import affinity_key, choose_order
from deploy.ray.http_message import HttpRequest


class PrefixRouter(RequestRouter):
    """Sends a request to the home of its prefix, or on to the next when that is too busy."""

    def initialize_state(self, max_imbalance: int = 4) -> None:
        """max_imbalance: requests that a home may have beyond the least busy replica.

        A few more in a batch cost little; computing a long prefix anew costs much.
        """
        self._max_imbalance = max_imbalance

    async def choose_replicas(
        self,
        candidate_replicas: list[RunningReplica],
        pending_request: PendingRequest | None = None,
    ) -> list[list[RunningReplica]]:
        """Each rank is one replica; Serve takes the first that is not full."""
        key = None
        if pending_request is not None:
            pending_request.routing_context.should_backoff = True  # after all were tried
            args = pending_request.args
            key = affinity_key(args[0]) if args and isinstance(args[0], HttpRequest) else None
        replicas = {replica.replica_id.unique_id: replica for replica in candidate_replicas}
        cache = self.replica_queue_len_cache
        loads = {name: cache.get(replica.replica_id) or 0 for name, replica in replicas.items()}
        return [[replicas[name]] for name in choose_order(key, loads, self._max_imbalance)]
