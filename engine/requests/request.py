"""One generation request and its life inside the engine."""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf

from sterna.engine.constraints.constraint import Constraint
from sterna.engine.constraints.guide import Guide
from sterna.engine.errors import RequestError
from sterna.engine.requests.logprobs import PromptLogprob
from sterna.engine.requests.token_counts import TokenCounts

MAX_LOGPROBS = 20  # alternatives to a token
MAX_BIAS = 100
MAX_PRIORITY = 2**63


class FinishReason(StrEnum):
    """Why a request ended; the value is the OpenAI ``finish_reason`` where one exists."""

    STOP = "stop"
    LENGTH = "length"
    ABORT = "abort"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How to turn logits into tokens, and when to stop.

    A token's logit is first changed by the penalties (repetition, then frequency and presence), and
    then by its bias. Stop tokens are banned until there are ``min_tokens``, and what the constraint
    does not allow is. Then come temperature, and min_p, top_k and top_p, which each narrow the
    choice, in this order. Raises RequestError when a value is out of range.
    """

    max_tokens: int  # may be 0 with ``prompt_logprobs``: the prompt is scored, nothing is written
    temperature: float = 1.0  # 0: always the likeliest token
    top_p: float = 1.0
    top_k: int = 0  # 0: no limit
    min_p: float = 0.0
    seed: int | None = None  # None: drawn when the request arrives
    stop_token_ids: frozenset[int] = frozenset()
    ignore_eos: bool = False  # else the engine adds the model's end-of-sequence ids to the stops
    presence_penalty: float = 0.0  # in [-2, 2]: off the logit of every token in the output
    frequency_penalty: float = 0.0  # in [-2, 2]: the same, times how often it is there
    repetition_penalty: float = 1.0  # in (0, 2]: of tokens in prompt or output, logit > 0 ? / : *
    logit_bias: Mapping[int, float] = field(default_factory=dict, hash=False)  # in [-100, 100]
    min_tokens: int = 0  # stop tokens are banned before; but a constraint at its end comes first
    num_logprobs: int = 0  # alternatives that each output lists, at most 20
    prompt_logprobs: int | None = None  # the same for each prompt token; None: prompt not scored
    priority: int = 0  # lower first; see Scheduler
    constraint: Constraint | None = None  # stop tokens end it, else it ends when fulfilled

    def __post_init__(self) -> None:
        for name, valid in (
            ("max_tokens", self.max_tokens >= (self.prompt_logprobs is None)),
            ("temperature", 0 <= self.temperature < inf),
            ("top_p", 0 < self.top_p <= 1),
            ("top_k", self.top_k >= 0),
            ("min_p", 0 <= self.min_p <= 1),
            ("presence_penalty", -2 <= self.presence_penalty <= 2),
            ("frequency_penalty", -2 <= self.frequency_penalty <= 2),
            ("repetition_penalty", 0 < self.repetition_penalty <= 2),
            ("logit_bias", all(-MAX_BIAS <= b <= MAX_BIAS for b in self.logit_bias.values())),
            ("min_tokens", 0 <= self.min_tokens <= self.max_tokens),
            ("num_logprobs", 0 <= self.num_logprobs <= MAX_LOGPROBS),
            ("prompt_logprobs", 0 <= (self.prompt_logprobs or 0) <= MAX_LOGPROBS),
            ("priority", -MAX_PRIORITY <= self.priority < MAX_PRIORITY),
        ):
            if not valid:
                raise RequestError(f"{name} is out of range: {getattr(self, name)}")

    @property
    def has_penalties(self) -> bool:
        """True when tokens that have occurred change what comes next."""
        return (self.presence_penalty, self.frequency_penalty, self.repetition_penalty) != (0, 0, 1)


@dataclass(slots=True, eq=False)
class EnergyShare:
    """The measured energy charged to requests; several may share one."""

    joules: float = 0.0


@dataclass(slots=True, eq=False)
class Request:
    """A request, from arrival to its last token.

    The scheduler knows no prefill or decode phase. Each step lets ``num_computed_tokens``
    catch up with ``len(token_ids)``; a request with one token to compute is decoding.
    """

    request_id: str
    token_ids: list[int]  # prompt, then output; the list is the request's own
    params: SamplingParams
    seed: int = 0  # of this request's random numbers
    num_prompt_tokens: int = field(init=False)
    num_computed_tokens: int = 0  # tokens whose K and V are in the cache
    num_cached_tokens: int | None = None  # prompt tokens found in the cache at first admission
    block_table: "array[int]" = field(default_factory=lambda: array("i"))  # copied fast by numpy
    block_hashes: list[bytes] = field(default_factory=list)  # of full blocks, see KVCache
    finish_reason: FinishReason | None = None
    queued_at: float = 0.0  # monotonic seconds, as is the next
    scheduled_at: float | None = None  # in a batch for the first time
    guide: Guide | None = None  # of its constraint
    token_counts: TokenCounts | None = None  # if it has penalties
    prompt_logprobs: list[PromptLogprob] | None = None  # of the prompt tokens scored so far
    rank: tuple[float, int] = (0.0, 0)  # unique in the scheduler: lower is more urgent
    is_plain: bool = field(init=False)  # the model's logits are all that it asks for
    energy: EnergyShare = field(default_factory=EnergyShare)

    def __post_init__(self) -> None:
        params = self.params
        self.num_prompt_tokens = len(self.token_ids)
        if params.has_penalties:
            self.token_counts = TokenCounts(self.token_ids)
        if params.prompt_logprobs is not None:
            self.prompt_logprobs = [PromptLogprob(self.token_ids[0], None)]
        self.is_plain = not (
            params.has_penalties
            or params.logit_bias
            or params.min_tokens
            or params.num_logprobs
            or params.prompt_logprobs is not None
            or params.constraint is not None
        )

    @property
    def num_pending_tokens(self) -> int:
        """Tokens not yet in the cache."""
        return len(self.token_ids) - self.num_computed_tokens

    @property
    def num_output_tokens(self) -> int:
        """Tokens sampled so far."""
        return len(self.token_ids) - self.num_prompt_tokens

    @property
    def next_logits_position(self) -> int:
        """The first position whose logits are needed: the last, unless the prompt is scored."""
        if self.prompt_logprobs is None or len(self.prompt_logprobs) == self.num_prompt_tokens:
            return len(self.token_ids) - 1
        return len(self.prompt_logprobs) - 1

    def num_scored(self, num_tokens: int) -> int:
        """How many of the next ``num_tokens`` pending tokens give a prompt token its logprob."""
        if self.prompt_logprobs is None:
            return 0
        end = min(self.num_computed_tokens + num_tokens, self.num_prompt_tokens - 1)
        return max(0, end - self.next_logits_position)

    def append(self, token_id: int) -> FinishReason | None:
        """Add a sampled token. Returns the reason if the request is finished by it."""
        self.token_ids.append(token_id)
        if self.token_counts is not None:
            self.token_counts.add(token_id)
        if token_id in self.params.stop_token_ids:
            self.finish_reason = FinishReason.STOP
        elif self.num_output_tokens >= self.params.max_tokens:
            self.finish_reason = FinishReason.LENGTH
        elif self.guide is not None:
            self.guide.advance(token_id)
        return self.finish_reason
