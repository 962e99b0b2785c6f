"""Every setting of the server: its name, unit, default, and environment variable.

The only file of this package that reads the environment. A field ``max_body_bytes`` is the option
``--max-body-bytes`` of ``sterna serve`` and the variable ``STERNA_MAX_BODY_BYTES``; an option
wins over a variable, a variable over the default. ``STERNA_ISA`` belongs to ``engine/kernels``.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)

from sterna.engine import ConfigError


def _default_cache_dir() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "sterna"


def _split_names(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(name for part in value.split(",") if (name := part.strip()))


def _as_prefix(value: str) -> str:
    prefix = value.rstrip("/")
    if not re.fullmatch(PREFIX, prefix):
        raise ValueError("must be a path such as /models/one, of letters, digits and _ . ~ -")
    return prefix


def _split_keys(value: object) -> object:
    """Never to no keys: a server that was told of one must not answer everybody."""
    if not isinstance(value, str):
        return value
    keys = tuple(key.strip() for key in value.split(","))
    if not all(re.fullmatch(r"[!-~]+", key) for key in keys):
        raise ValueError("must be keys of ASCII letters, digits and signs, with commas between")
    return keys


def _as_number(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isdecimal() else value


PREFIX = r"(/[\w.~-]+)*"  # of paths; the page shows it, so there is nothing in it to escape
Names = Annotated[tuple[str, ...], BeforeValidator(_split_names)]
Keys = Annotated[tuple[SecretStr, ...], BeforeValidator(_split_keys)]


class Settings(BaseModel):
    """What ``sterna serve`` can be told. Frozen; ``None`` means that something else decides."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = Field(None, description="checkpoint folder or hub id; none: the built-in")
    served_model_name: Names = Field(
        (), description="names that clients may use, with commas between; none: the model's own"
    )

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0: any free one")
    tls_cert_file: Path | None = Field(
        None, description="certificate chain, PEM, to serve HTTPS with; none: HTTP"
    )
    tls_key_file: Path | None = Field(
        None, description="private key of the certificate, PEM, without a password"
    )
    api_key: Keys = Field(
        (), description="keys, with commas between, of which a request needs one; none: no key"
    )
    api_key_file: Path | None = Field(
        None, description="file of further keys, one a line; read once, at start"
    )
    metrics_public: bool = Field(False, description="/metrics needs no key: true or false")
    allowed_hosts: Names = Field(
        (),
        description="names, with commas between, under which this server may be asked; * means "
        "all; none: all, but only those of loopback where it listens on no other address",
    )
    root_path: Annotated[str, AfterValidator(_as_prefix)] = Field(
        "", description="path under which a proxy serves this, such as /sterna; none: the root"
    )
    allowed_origins: Names = Field(
        (), description="web origins, with commas between, that may call (CORS); * means all"
    )
    max_body_bytes: int = Field(4 << 20, ge=1024, description="largest request body, in bytes")
    receive_timeout_seconds: float = Field(
        60.0, gt=0, description="how long a request may take to arrive, its body included"
    )
    ping_seconds: float = Field(15.0, gt=0, description="pause in a stream before a comment line")
    send_timeout_seconds: float = Field(
        60.0, gt=0, description="how long a client may leave a stream unread before it is dropped"
    )
    request_timeout: float | None = Field(
        None, gt=0, description="seconds, with the queue, after which a request fails; none: never"
    )
    shutdown_seconds: int = Field(30, ge=0, description="time for open requests after SIGTERM")
    stall_seconds: float = Field(
        60.0, gt=0, description="a step of the engine that takes longer makes the server unhealthy"
    )

    threads: int | None = Field(None, ge=1, description="compute threads; none: physical cores")
    kv_cache_tokens: int | None = Field(
        None, ge=1, description="tokens that the cache holds; none: a share of free memory"
    )
    kv_dtype: Literal["float16", "float32", "int8"] = Field(
        "float16", description="type of the keys and values in the cache: float16, float32 or int8"
    )
    head: Literal["int8", "bf16"] = Field(
        "int8", description="output head: int8 gives the same greedy tokens, from half the bytes"
    )
    max_constraint_bytes: int = Field(
        64 << 10, ge=1024, le=1 << 20, description="largest schema of an answer, in bytes"
    )
    constraint_seconds: float = Field(
        10.0, gt=0, description="time to compile the schema, regex or grammar of an answer"
    )
    max_batch_tokens: int = Field(256, ge=1, description="tokens computed in one step")
    max_chunk_tokens: int = Field(
        32, ge=1, description="prompt tokens in a step that also continues streams"
    )
    max_batch_requests: int = Field(64, ge=1, description="sequences that run at once")
    max_waiting_requests: int = Field(
        256, ge=0, description="sequences that may wait beyond those; more are refused with 429"
    )
    max_priority_levels: int = Field(
        5,
        ge=0,
        description="levels, of 2 s each, that a request may ask to go before or after others",
    )
    max_queued_bytes: int = Field(
        8 << 20, ge=1024, description="request bodies held at once, in bytes; 429 beyond"
    )
    overload_status: Annotated[Literal[429, 503], BeforeValidator(_as_number)] = Field(
        429, description="status of a refusal because the queue is full: 429 or 503"
    )
    max_context_tokens: int | None = Field(
        None, ge=1, description="prompt + output of one sequence; none: the model's"
    )
    backend: Literal["native", "reference"] = Field(
        "native", description="who computes: native, or reference (slow, states what is meant)"
    )
    device: str = Field(
        "cpu",
        description="device of the reference backend, as torch names it: cpu, cuda or cuda:1",
    )
    cache_dir: Path = Field(
        default_factory=_default_cache_dir,
        description="folder of packed weights; none: $XDG_CACHE_HOME/sterna",
    )

    powercap_dir: Path = Field(
        Path("/sys/class/powercap"), description="folder of the processor's energy counters"
    )
    zeusd: str = Field(
        "/run/zeusd/zeusd.sock",
        description="where the Zeus daemon listens, which may read them: a socket, or host:port",
    )
    energy_period_seconds: float = Field(
        1.0, gt=0, le=60, description="pause between two readings of the energy counters"
    )
    tdp_watts: float | None = Field(
        None, gt=0, description="design power of all processors: estimates what can't be measured"
    )
    idle_watts: float = Field(
        0.0, ge=0, description="what the processors take at rest, for that estimate"
    )
    energy_node: Literal["45nm", "7nm"] = Field(
        "7nm", description="whose silicon the modelled arithmetic energy is of: 45nm or 7nm"
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least serious message to log: debug, info, warning or error"
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="form of a log line: text or json"
    )

    @classmethod
    def load(
        cls, options: Mapping[str, object], environment: Mapping[str, str] = os.environ
    ) -> Self:
        """Merge options (``None``: not given), environment and defaults.

        An empty variable counts as unset. Raises ConfigError.
        """
        variables = {name: environment.get(variable(name)) for name in cls.model_fields}
        given = {name: value for name, value in options.items() if value is not None}
        try:
            return cls.model_validate({k: v for k, v in variables.items() if v} | given)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0])
            found = "" if name == "api_key" else f", found {first['input']!r}"
            raise ConfigError(
                f"{option(name)} (or {variable(name)}): {first['msg']}{found}"
            ) from None


def option(field: str) -> str:
    """Name of the command-line option of a field."""
    return "--" + field.replace("_", "-")


def with_options(message: str) -> str:
    """A message of the engine in which its settings have the names of the options."""
    options = {name: option(name) for name in Settings.model_fields if "_" in name}  # no plain word
    options["num_threads"] = option("threads")
    return re.sub(r"\w+", lambda word: options.get(word[0], word[0]), message)


def variable(field: str) -> str:
    """Name of the environment variable of a field."""
    return "STERNA_" + field.upper()
