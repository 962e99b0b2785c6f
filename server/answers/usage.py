"""Token counts of one response, the same for a stream and for one piece."""

from sterna.server.generation.job import GenerationJob
from sterna.server.generation.text_delta import TextDelta
from sterna.server.schemas.answer import EnergyUsage, PromptTokensDetails, Usage


class UsageCounter:
    """Adds up what the deltas of a job say."""

    def __init__(self, job: GenerationJob) -> None:
        self._job = job
        self.num_generated = 0  # tokens, so far
        self._num_cached: dict[int, int] = {}  # of each prompt

    def add(self, delta: TextDelta) -> None:
        """Count a delta, merged or not."""
        self.num_generated += delta.num_tokens
        prompt, choice = divmod(delta.index, self._job.num_choices)
        if choice == 0:  # the others find in the cache what the first has put there
            self._num_cached[prompt] = delta.num_cached_tokens

    def usage(self, energy: EnergyUsage | None = None) -> Usage:
        """The counts so far. A prompt counts once, however many choices it has."""
        num_prompt = sum(map(len, self._job.prompts))
        return Usage(
            prompt_tokens=num_prompt,
            completion_tokens=self.num_generated,
            total_tokens=num_prompt + self.num_generated,
            prompt_tokens_details=PromptTokensDetails(cached_tokens=sum(self._num_cached.values())),
            energy=energy,
        )
