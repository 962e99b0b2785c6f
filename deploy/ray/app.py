"""Sterna on a Ray cluster: one front, and replicas that grow and shrink with the load.

    serve run deploy.ray.app:build replicas=2 num_cpus=8 model=microsoft/bitnet-b1.58-2B-4T

Each argument is a field of ClusterOptions, or a setting of ``sterna serve`` for every replica.
deploy/ray/README.md says how to lay replicas onto sockets.
"""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from ray import serve
from ray.serve import Application
from ray.serve.config import AutoscalingConfig, RequestRouterConfig

from deploy.ray.front import Front
from deploy.ray.replica import Replica
from deploy.ray.router import PrefixRouter
from sterna.server.settings import Settings

FRONT_REQUESTS = 10_000  # which wait in a front; each is a coroutine
# They are about a socket of one's own, which no replica has: `serve start` says where Ray listens.
OF_A_SOCKET = {
    "host", "port", "tls_cert_file", "tls_key_file", "metrics_public", "receive_timeout_seconds",
}  # fmt: skip


class ClusterOptions(BaseModel):
    """How many replicas of what size, and who gets which request. Other fields are settings."""

    model_config = ConfigDict(extra="allow", frozen=True)

    replicas: int = Field(1, ge=1, description="replicas at startup, and minimum")
    max_replicas: int | None = Field(
        None, ge=1, description="maximum of replicas; if unset, replicas"
    )
    num_cpus: int = Field(1, ge=1, description="CPUs and compute threads of each replica")
    target_requests: int = Field(
        16, ge=1, description="open requests per replica; more start another"
    )
    downscale_seconds: float = Field(
        300.0, ge=0, description="seconds before a spare replica is stopped"
    )
    routing: Literal["prefix", "balanced"] = Field(
        "prefix", description="route by the beginning of the prompt, or by load alone"
    )
    max_imbalance: int = Field(
        4, ge=0, description="requests a prefix's replica may have beyond the least busy"
    )
    fronts: int = Field(1, ge=1, description="number of processes that forward requests")
    metrics_folder: str | None = Field(
        None, description="where each replica writes a file for Prometheus' file_sd_configs"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.max_replicas is not None and self.max_replicas < self.replicas:
            raise ValueError("max_replicas must not be less than replicas")
        if ours := OF_A_SOCKET & self.settings().keys():
            raise ValueError(f"{', '.join(sorted(ours))}: not a setting of a replica")
        Settings.load(self.settings())
        return self

    def settings(self) -> dict[str, Any]:
        """Options of ``sterna serve`` for every replica."""
        return {"threads": self.num_cpus, "allowed_hosts": "*"} | (self.model_extra or {})


def build(options: ClusterOptions) -> Application:
    """The application, for ``serve run`` and for configuration files.

    Raises ConfigError, or ValidationError, for what makes no sense.
    """
    settings = Settings.load(options.settings())
    replicas = serve.deployment(
        Replica,
        name="Sterna",
        autoscaling_config=AutoscalingConfig(
            min_replicas=options.replicas,
            initial_replicas=options.replicas,
            max_replicas=options.max_replicas or options.replicas,
            target_ongoing_requests=options.target_requests,
            upscale_delay_s=5,
            downscale_delay_s=options.downscale_seconds,
        ),
        ray_actor_options={"num_cpus": options.num_cpus},
        max_ongoing_requests=settings.max_batch_requests,
        max_queued_requests=settings.max_waiting_requests,
        request_router_config=_router(options),
        graceful_shutdown_wait_loop_s=0.5,
        graceful_shutdown_timeout_s=settings.shutdown_seconds + 5,
        health_check_period_s=5,
    ).bind(options.settings(), options.metrics_folder)
    front = serve.deployment(
        Front,
        name="Front",
        num_replicas=options.fronts,
        ray_actor_options={"num_cpus": 0},
        max_ongoing_requests=FRONT_REQUESTS,
        graceful_shutdown_timeout_s=settings.shutdown_seconds + 5,
    )
    return front.bind(replicas, settings.max_body_bytes, settings.overload_status)


def _router(options: ClusterOptions) -> RequestRouterConfig:
    if options.routing == "balanced":
        return RequestRouterConfig()
    return RequestRouterConfig(
        request_router_class=PrefixRouter,
        request_router_kwargs={"max_imbalance": options.max_imbalance},
    )
