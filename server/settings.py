"""Every setting of the server: its name, unit, default, and environment variable.

The only file of this package that reads the environment. A field ``max_body_bytes`` is the option
``--max-body-bytes`` of ``sterna serve`` and the variable ``STERNA_MAX_BODY_BYTES``. An option
overrides a variable, which overrides the default. ``STERNA_ISA`` belongs to ``engine/kernels``.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)

from sterna.engine import ConfigError, EngineError, HeadType, KVDtype, SettingError


def _default_cache_dir() -> Path | None:
    """Return the folder; None for a user without a home, as containers may have."""
    try:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:
        return None
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
    """Split keys at commas. An empty key is an error: it must not open the server to everyone."""
    if not isinstance(value, str):
        return value
    keys = tuple(key.strip() for key in value.split(","))
    if not all(re.fullmatch(r"[!-~]+", key) for key in keys):
        raise ValueError("must be comma-separated keys of ASCII letters, digits and punctuation")
    return keys


def _as_number(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isdecimal() else value


PREFIX = r"(/[\w.~-]+)*"  # of paths; the page shows it, so nothing in it may need escaping


@dataclass(frozen=True)
class Metavar:
    """Placeholder of an option's value in the help, where the field's name does not end in it."""

    text: str


Names = Annotated[tuple[str, ...], BeforeValidator(_split_names)]
Keys = Annotated[tuple[SecretStr, ...], BeforeValidator(_split_keys)]


class Settings(BaseModel):
    """Configuration of ``sterna serve``. A setting that is ``None`` is decided elsewhere."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = Field(
        None,
        description="checkpoint folder, GGUF file or Hugging Face id; if unset, the built-in model",
    )
    revision: str | None = Field(
        None, description="branch, tag or commit of a Hugging Face id; if unset, the main branch"
    )
    served_model_name: Names = Field(
        (), description="comma-separated model names for clients; if unset, the model's own"
    )

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 picks a free one")
    tls_cert_file: Path | None = Field(
        None, description="TLS certificate chain (PEM) for HTTPS; if unset, plain HTTP"
    )
    tls_key_file: Path | None = Field(
        None, description="private key of the certificate (PEM), without a password"
    )
    api_key: Keys = Field(
        (),
        description="comma-separated API keys; each request must carry one; if unset, no keys",
    )
    api_key_file: Path | None = Field(
        None, description="file of further API keys, one per line, read once at startup"
    )
    metrics_public: bool = Field(False, description="whether /metrics is served without an API key")
    allowed_hosts: Names = Field(
        (),
        description="comma-separated host names to answer to, * for all; if unset, all, but on a "
        "loopback address only loopback names",
    )
    root_path: Annotated[str, AfterValidator(_as_prefix), Metavar("PATH")] = Field(
        "", description="path prefix under which a proxy serves this server, such as /sterna"
    )
    allowed_origins: Names = Field(
        (), description="comma-separated web origins allowed by CORS; * allows all"
    )
    max_body_bytes: int = Field(4 << 20, ge=1024, description="largest request body, in bytes")
    receive_timeout_seconds: float = Field(
        60.0, gt=0, description="seconds that a request may take to arrive, body included"
    )
    ping_seconds: float = Field(
        15.0, gt=0, description="seconds without output after which a stream sends a keep-alive"
    )
    send_timeout_seconds: float = Field(
        60.0,
        gt=0,
        description="seconds before a client that does not read its stream is disconnected",
    )
    request_timeout: Annotated[float | None, Metavar("SECONDS")] = Field(
        None,
        gt=0,
        description="seconds before a request fails, queueing included; if unset, no limit",
    )
    shutdown_seconds: int = Field(
        30, ge=0, description="seconds that open requests get to finish after SIGTERM"
    )
    stall_seconds: float = Field(
        60.0,
        gt=0,
        description="seconds without progress before the server reports itself unhealthy",
    )

    threads: int | None = Field(
        None, ge=1, description="compute threads; if unset, one per physical core"
    )
    kv_cache_tokens: int | None = Field(
        None,
        ge=1,
        description="tokens that the KV cache holds; if unset, a share of free memory",
    )
    kv_dtype: KVDtype = Field("float16", description="type of the keys and values in the cache")
    head: HeadType = Field(
        "int8",
        description="type of the output head; int8 reads half the bytes, same greedy tokens",
    )
    max_constraint_bytes: int = Field(
        64 << 10,
        ge=1024,
        le=1 << 20,
        description="largest JSON schema, regex or grammar of an answer, in bytes",
    )
    constraint_seconds: float = Field(
        10.0, gt=0, description="seconds allowed to compile a JSON schema, regex or grammar"
    )
    max_batch_tokens: int = Field(256, ge=1, description="most tokens computed in one step")
    max_chunk_tokens: int = Field(
        32,
        ge=1,
        description="most prompt tokens in a step that also decodes other requests",
    )
    max_batch_requests: int = Field(64, ge=1, description="most sequences that run at once")
    max_waiting_requests: int = Field(
        256,
        ge=0,
        description="most sequences that may wait to run; further requests are refused with 429",
    )
    max_priority_levels: int = Field(
        5,
        ge=0,
        description="levels of priority that count, 2 s of waiting each; 0 ignores priorities",
    )
    max_queued_bytes: int = Field(
        8 << 20,
        ge=1024,
        description="most bytes of request bodies held at once; 429 beyond",
    )
    overload_status: Annotated[Literal[429, 503], BeforeValidator(_as_number)] = Field(
        429, description="HTTP status of a request that is refused because the queue is full"
    )
    max_context_tokens: int | None = Field(
        None,
        ge=1,
        description="most tokens of one sequence, prompt and output; if unset, the model's limit",
    )
    backend: Literal["native", "reference"] = Field(
        "native", description="compute backend: native, or reference (slow, for checking)"
    )
    device: str = Field(
        "cpu",
        description="PyTorch device of the reference backend, such as cpu, cuda or cuda:1",
    )
    cache_dir: Path | None = Field(
        default_factory=_default_cache_dir,
        description="folder for packed weights; if unset, sterna in $XDG_CACHE_HOME or ~/.cache",
    )

    powercap_dir: Path = Field(
        Path("/sys/class/powercap"), description="folder of the processor's energy counters (RAPL)"
    )
    zeusd: Annotated[str, Metavar("ADDRESS")] = Field(
        "/run/zeusd/zeusd.sock",
        description="Zeus daemon to ask if the counters are not readable: socket path or host:port",
    )
    energy_period_seconds: float = Field(
        1.0, gt=0, le=60, description="seconds between two readings of the energy counters"
    )
    tdp_watts: float | None = Field(
        None,
        gt=0,
        description="design power of all processors; used to estimate unmeasured energy",
    )
    idle_watts: float = Field(
        0.0, ge=0, description="idle power of all processors, in watts; used for the same estimate"
    )
    energy_node: Literal["45nm", "7nm"] = Field(
        "7nm", description="silicon process assumed by the arithmetic energy model"
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="lowest level of messages to log"
    )
    log_format: Literal["text", "json"] = Field("text", description="format of log lines")

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
    """Return the command-line option of a field."""
    return "--" + field.replace("_", "-")


def metavar(field: str) -> str:
    """Return the placeholder of an option's value: its choices, or a unit such as BYTES."""
    info = Settings.model_fields[field]
    for item in info.metadata:
        if isinstance(item, Metavar):
            return item.text
    if info.annotation is bool:
        return "{true,false}"
    if get_origin(info.annotation) is Literal:
        return f"{{{','.join(map(str, get_args(info.annotation)))}}}"
    word = field.rpartition("_")[2].upper()
    if get_origin(info.annotation) is tuple:
        word = word.removesuffix("S")
        return f"{word}[,{word}...]"
    return word


def with_options(error: EngineError) -> str:
    """Return the message; where it names settings of the engine, by the names of the options."""
    if not isinstance(error, SettingError):
        return str(error)
    options = {name: option(name) for name in Settings.model_fields if "_" in name}  # no plain word
    options["num_threads"] = option("threads")
    return re.sub(r"\w+", lambda word: options.get(word[0], word[0]), str(error))


def variable(field: str) -> str:
    """Return the environment variable of a field."""
    return "STERNA_" + field.upper()
