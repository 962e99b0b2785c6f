"""Sampling parameters: those of the request, completed with the model's defaults.

As in vLLM, ``temperature``, ``top_p``, ``top_k``, ``min_p`` and ``repetition_penalty`` come from
the request, else from the checkpoint's generation_config.json, else they are OpenAI's (1, 1, off,
off, off). ``do_sample`` is ignored: use temperature 0 to decode greedily.
"""

import json
from dataclasses import dataclass
from typing import Self, TypeVar

from sterna.engine import CheckpointError, SamplingParams
from sterna.server.schemas.common import SamplingFields
from sterna.server.text.checkpoint_text import CheckpointText

LEAST_VALUE = 1e-5  # logits over a smaller temperature overflow, a smaller top_p rounds to nothing
N = TypeVar("N", int, float)


@dataclass(frozen=True, slots=True)
class SamplingDefaults:
    """Values for fields that a request leaves out; ranges as in SamplingParams."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0

    @classmethod
    def load(cls, text: CheckpointText) -> Self:
        """Return the checkpoint's defaults. Raises CheckpointError."""
        stated = text.generation_config()
        values = {name: stated[name] for name in cls.__slots__ if stated.get(name) is not None}
        try:
            for name, value in values.items():
                _check_number(name, value)
            SamplingParams(max_tokens=1, **values)  # checks the ranges
        except Exception as error:
            raise CheckpointError(f"{text.place_of('generation config')}: {error}") from None
        return cls(**values)

    def apply(self, fields: SamplingFields, max_tokens: int) -> SamplingParams:
        """Return the engine's parameters for a request of at most ``max_tokens``."""
        temperature = _either(fields.temperature, self.temperature)
        return SamplingParams(
            max_tokens=max_tokens,
            temperature=temperature if temperature >= LEAST_VALUE else 0.0,
            top_p=max(_either(fields.top_p, self.top_p), LEAST_VALUE),
            top_k=max(_either(fields.top_k, self.top_k), 0),  # clients also write -1 for "off"
            min_p=_either(fields.min_p, self.min_p),
            presence_penalty=_either(fields.presence_penalty, 0.0),
            frequency_penalty=_either(fields.frequency_penalty, 0.0),
            repetition_penalty=_either(fields.repetition_penalty, self.repetition_penalty),
            logit_bias=fields.logit_bias or {},
            seed=fields.seed,
            stop_token_ids=frozenset(fields.stop_token_ids or ()),
            ignore_eos=bool(fields.ignore_eos),
            min_tokens=_either(fields.min_tokens, 0),
            num_logprobs=fields.num_logprobs or 0,
            prompt_logprobs=fields.num_prompt_logprobs,
            priority=_either(fields.priority, 0),
        )


def _check_number(name: str, value: object) -> None:
    whole = name == "top_k"
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        kind = "whole number" if whole else "number"
        raise ValueError(f"{name}: found {json.dumps(value)}, expected a {kind}")


def _either(stated: N | None, default: N) -> N:
    return default if stated is None else stated
