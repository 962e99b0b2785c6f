"""Settings of the engine, checked at creation. Does not read the environment."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from sterna.engine.errors import SettingError

KVDtype = Literal["float16", "float32", "int8"]
HeadType = Literal["int8", "bf16"]

BACKENDS = ("native", "reference")
KV_DTYPES: tuple[str, ...] = get_args(KVDtype)
HEAD_TYPES: tuple[str, ...] = get_args(HeadType)


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """What to serve, and with how much memory and how many threads.

    Raises SettingError for an invalid value.
    """

    model_path: Path  # a checkpoint folder in Hugging Face form
    max_context_tokens: int | None = None  # prompt + output of one request; None: the model's
    max_batch_tokens: int = 256  # computed in one step
    max_chunk_tokens: int = 32  # of them for prompts, while streams run: bounds how long they pause
    max_batch_requests: int = 64  # requests that run at once
    max_priority_levels: int = 5  # that a priority may differ from 0; 0: it does nothing
    kv_cache_tokens: int | None = None  # None: a share of the free memory
    kv_dtype: KVDtype = "float16"  # of the cache; int8 has a scale for each token and head
    head: HeadType = "int8"  # of which the best candidates are computed again in bf16
    num_threads: int | None = None  # None: physical cores that this process may use
    backend: str = "native"  # or "reference"
    device: str = "cpu"  # of the reference backend: as torch names it, such as "cuda"
    cache_dir: Path | None = None  # packed weights; None: they are not kept
    powercap_dir: Path = Path("/sys/class/powercap")  # energy counters of the processor
    zeusd: str = "/run/zeusd/zeusd.sock"  # where the Zeus daemon listens: a socket, or host:port
    energy_period_seconds: float = 1.0  # between readings; counters wrap after some minutes
    tdp_watts: float | None = None  # of all processors; None: energy is measured or unknown
    idle_watts: float = 0.0  # what they take at rest, for an estimate from tdp_watts

    def __post_init__(self) -> None:
        for name in (
            "max_context_tokens",
            "max_batch_tokens",
            "max_chunk_tokens",
            "max_batch_requests",
            "kv_cache_tokens",
            "num_threads",
        ):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SettingError(f"{name} must be at least 1, found {value}")
        if self.energy_period_seconds <= 0:
            raise SettingError(
                f"energy_period_seconds must be greater than 0, found {self.energy_period_seconds}"
            )
        if not 0 <= self.idle_watts <= (self.tdp_watts or 0):
            raise SettingError(
                f"idle_watts must be between 0 and tdp_watts ({self.tdp_watts}), "
                f"found {self.idle_watts}"
            )
        if self.max_batch_requests > self.max_batch_tokens:
            raise SettingError(
                f"max_batch_requests ({self.max_batch_requests}) must not exceed max_batch_tokens "
                f"({self.max_batch_tokens}): every running request needs one token per step"
            )
        for name, known in (("backend", BACKENDS), ("kv_dtype", KV_DTYPES), ("head", HEAD_TYPES)):
            if (value := getattr(self, name)) not in known:
                raise SettingError(f"{name} must be one of {', '.join(known)}, found {value!r}")


def context_tokens(asked: int | None, limit: int) -> int:
    """Return the context of a model with this limit. Raises SettingError if more is asked for."""
    if asked is not None and asked > limit:
        message = f"max_context_tokens must be at most the model's {limit}, found {asked}"
        raise SettingError(message)
    return asked or limit
