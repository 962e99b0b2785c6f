"""What one HTTP request generates, once its prompts are token ids."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sterna.engine import EnergyShare, SamplingParams
from sterna.server.text.echo import Echo
from sterna.server.tools.use import ToolUse

NUM_CONTEXT_TOKENS = 8  # before a text: a decoder must see the end of a character, and a word


@dataclass(frozen=True, slots=True)
class GenerationJob:
    """``num_choices`` sequences for each prompt, and how their tokens become text."""

    prompts: Sequence[list[int]]
    params: SamplingParams
    num_choices: int
    stops: Sequence[str]
    arrived_at: float  # time.monotonic(), before the prompt was encoded
    constraint_param: str | None = None  # the field that asked for ``params.constraint``
    stops_until: str | None = None  # from this text on, stop strings mean nothing
    stops_until_first: bool = False  # only if it is the first text of all
    keeps_stop: bool = False  # the text ends after a stop string or token, not before it
    skips_special: bool = True  # special tokens are no text
    lists_tokens: bool = False  # deltas carry their tokens
    continues_text: bool = False  # an answer goes on where its prompt ends, as no chat does
    echoes: Sequence[Echo] = ()  # of each prompt, if answers begin with it
    tool_use: ToolUse = field(default_factory=ToolUse)
    unenforced: str = ""  # what the calls are not held to, for the client to know
    energy: EnergyShare = field(default_factory=EnergyShare)  # that all sequences are charged to

    @property
    def num_sequences(self) -> int:
        """Number of choices of all prompts."""
        return len(self.prompts) * self.num_choices

    @property
    def prompt_lengths(self) -> list[int]:
        """Number of tokens in each prompt."""
        return [len(prompt) for prompt in self.prompts]

    def prompt_of(self, index: int) -> list[int]:
        """Return the prompt of sequence ``index`` as token ids."""
        return self.prompts[index // self.num_choices]

    def echo_of(self, index: int) -> Echo | None:
        """Return what sequence ``index`` repeats before its answer."""
        return self.echoes[index // self.num_choices] if self.echoes else None

    def context_of(self, index: int) -> list[int]:
        """Return the token ids that the text of sequence ``index`` continues."""
        return self.prompt_of(index)[-NUM_CONTEXT_TOKENS:] if self.continues_text else []

    def params_of(self, index: int) -> SamplingParams:
        """Return the parameters of sequence ``index``; each choice has its own 64-bit seed."""
        seed = self.params.seed
        choice = index % self.num_choices
        return self.params if seed is None else replace(self.params, seed=seed ^ choice)
